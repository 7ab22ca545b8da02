"""The flows that tune: opened, shown, stopped and looked after in Prefect."""
