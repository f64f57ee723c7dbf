"""Region and credentials for a local DynamoDB: any do."""

from __future__ import annotations

REGION, ACCESS_KEY, SECRET_KEY = "eu-west-1", "benchmark", "benchmark"
