"""What is declared, called and awaited."""
