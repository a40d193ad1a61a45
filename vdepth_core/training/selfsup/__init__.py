"""Training of depth networks on folders of video, by the published systems."""
