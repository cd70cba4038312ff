"""What the retailer's systems deliver each night, in each system's own format."""
