"""What Scribe costs, measured in turn with others that do the same.

__main__.py      `make bench`: every row below, one table, and docs/benchmarks.md
cold_start.py    a new process until its first event is answered
warm_event.py    a thousand events in one process
five_hours.py    a long result: read, and written in every format
package_size.py  what is uploaded for each function
wire_cost.py     requests for one recording
history.py       sweep and audit with much work done
burst.py         many uploads at once
peers/           the others: small programs that do what `upload` does
sides.py         where each of them lies, ready to run; ground.py, fill.py: the cloud they run against;
instance.py      one of them in a process of its own; figures.py, page.py: what comes out
"""
