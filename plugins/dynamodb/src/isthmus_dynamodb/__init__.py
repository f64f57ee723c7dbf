"""DynamoDB backend of Isthmus: ``isthmus.connect("dynamodb://…")``."""

from isthmus_dynamodb.plugin import DynamoDBPlugin

__all__ = ["DynamoDBPlugin"]
