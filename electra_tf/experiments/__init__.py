"""Systems that are pre-trained alike and measured alike."""
