"""Where the application and its storage are."""
