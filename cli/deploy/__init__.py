"""`scribe deploy` and `scribe remove`.

A deployment goes through these stages:

1. **Target** (`target.py`). Load `.env`, the environment and serverless.yml, and validate all of it. Build the package
   and the policy document of each role. The result is a `DeployTarget`: what should run in the cloud. The only request
   is for the callback token of the deployed function, if the operator has none.
2. **Current state** (`state.py`). Read functions, triggers, roles, buckets and speech queues into a `CurrentState`.
   Each part is read when it is needed and kept; `scribe doctor` reads the same class.
3. **Preflight** (`preflight.py`). Collect every problem that the deployment cannot solve, e.g. a bucket of another
   account, and raise `PreflightFailed` with all of them before anything is changed.
4. **Plan** (`planner.py`). Compare the target with the current state. The result is a list of `Step` values
   (`steps.py`, `trigger_steps.py`, `speech_steps.py`, `hot_word_steps.py`): what each one changes, as a person reads
   it, and the function that does it. The planner sends no request. The order matters: an interrupted deployment must
   not accept a recording that it cannot finish. `--dry-run` prints the plan and ends here. What would be billed
   although no one uploads anything (`list_costs`) needs the operator's consent, or `--yes`.
5. **Execute** (`executor.py`). Apply the steps in order. Stop at the first failure, print the remaining steps and the
   command that resumes. Every step can be applied again; a second deployment without a change has an empty plan.
6. **Verify** (`command.py`). Run the checks of `scribe doctor` on the new state, and wait up to a minute for a new
   address to become known.

`scribe remove` uses stages 1, 2, 4 and 5 with a plan that deletes. `clients.py` holds the clients of all stages,
`notifications.py` the notification of a speech queue, `recordings.py` counts recordings, `receipts.py` compares and
copies receipts, `command.py` holds the commands themselves.
"""
