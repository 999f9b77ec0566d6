"""What the dashboard's pages show: the answers of the API, put side by side, from one state of the data."""
