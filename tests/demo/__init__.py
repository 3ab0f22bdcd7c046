"""The demo's data and documents, without a server; that the story itself goes as told, the demo checks when it runs."""
