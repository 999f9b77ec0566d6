"""Stand-ins for the public sites; each speaks one site's wire format."""
