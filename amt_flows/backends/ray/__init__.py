"""Training jobs on a Ray cluster, by the HTTP API of its head; no part of Ray is needed here."""
