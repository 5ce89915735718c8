"""SCF in the control plane: functions and triggers that are deployed by its API, and then really run."""
