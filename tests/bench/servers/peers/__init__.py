"""One module for each way to use a store; its class is ``PeerUnderTest``."""
