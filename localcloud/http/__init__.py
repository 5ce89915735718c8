"""HTTP as the services use it: hosts, requests, responses, errors and the server's connections."""
