"""Moving a table from DynamoDB Local to MongoDB, against a careful script over the drivers."""
