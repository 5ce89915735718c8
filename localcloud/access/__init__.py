"""Who may do what: CAM policy documents, what each request needs, and the check in between."""
