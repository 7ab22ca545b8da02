# The AWS command line, version 1: its own waiters and filters.
role=arn:aws:iam::123456789012:role/training
sm="aws --output text sagemaker"

call() { # a name for the table; the command follows
  local name=$1 told
  shift
  if told=$("$@" 2>&1); then printf 'call\t%s\tworks\n' "$name"; else
    printf 'call\t%s\t%s\n' "$name" "$(echo "$told" | tr '\n|\t' '  /' | cut -c1-160)"
  fi
  echo "$told" >&2
}
train() {
  $sm create-training-job --training-job-name "$1" --role-arn $role --hyper-parameters rate=0.75 \
    --algorithm-specification "TrainingImage=my-image:1,TrainingInputMode=File,MetricDefinitions=[{Name=accuracy,Regex='accuracy=([0-9.e-]+);'}]" \
    --output-data-config S3OutputPath=s3://from-the-cli/models \
    --resource-config InstanceType=ml.m5.large,InstanceCount=1,VolumeSizeInGB=1 \
    --stopping-condition MaxRuntimeInSeconds=600 --tags Key=by,Value=cli &&
  aws sagemaker wait training-job-completed-or-stopped --training-job-name "$1"
}
values() { [ "$($sm describe-training-job --training-job-name cli-1 --query 'FinalMetricDataList[0].Value')" = 0.75 ]; }
logs() {
  aws logs filter-log-events --log-group-name /aws/sagemaker/TrainingJobs --log-stream-name-prefix cli-1/ \
    --query 'events[].message' | grep -q 'accuracy=0.75'
}
tune() {
  cat >tuning.json <<JSON
{"HyperParameterTuningJobName": "cli-tuning",
 "HyperParameterTuningJobConfig": {"Strategy": "Random",
  "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "accuracy"},
  "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
  "ParameterRanges": {"ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.5", "MaxValue": "1"}]}},
 "TrainingJobDefinition": {"RoleArn": "$role",
  "AlgorithmSpecification": {"TrainingImage": "my-image:1", "TrainingInputMode": "File",
   "MetricDefinitions": [{"Name": "accuracy", "Regex": "accuracy=([0-9.e-]+);"}]},
  "OutputDataConfig": {"S3OutputPath": "s3://from-the-cli/models"},
  "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
  "StoppingCondition": {"MaxRuntimeInSeconds": 600}}}
JSON
  $sm create-hyper-parameter-tuning-job --cli-input-json file://tuning.json
  for _ in $(seq 120); do
    status=$($sm describe-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name cli-tuning --query HyperParameterTuningJobStatus)
    [ "$status" = Completed ] && return
    sleep 1
  done
  return 1
}
best() {
  [ "$($sm list-training-jobs-for-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name cli-tuning \
    --sort-by FinalObjectiveMetricValue --sort-order Descending --query 'TrainingJobSummaries[0].TrainingJobName')" = \
    "$($sm describe-hyper-parameter-tuning-job --hyper-parameter-tuning-job-name cli-tuning --query BestTrainingJob.TrainingJobName)" ]
}
search() {
  $sm search --resource TrainingJob --search-expression 'Filters=[{Name=Tags.by,Operator=Equals,Value=cli}]' | grep -q cli-1
}
download() { aws s3 cp s3://from-the-cli/models/cli-1/output/model.tar.gz model.tar.gz && tar tzf model.tar.gz | grep -q model.json; }
refused() { $sm describe-training-job --training-job-name none 2>&1 | grep -q 'Requested resource not found'; }

call "create-training-job, wait" train cli-1
call "describe-training-job" values
call "logs filter-log-events" logs
call "s3 cp, of the model" download
call "search by tag" search
call "create-hyper-parameter-tuning-job, until it has ended" tune
call "list-training-jobs-for-hyper-parameter-tuning-job, sorted" best
call "an error's text" refused
echo done
