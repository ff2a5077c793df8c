/// The schemas of docs/schemas, so that the executable has them with it. Made by `make generate`; a test holds the two together.
enum RecordSchemaText {
    static let run = #"""
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "$id": "https://assay.dev/schemas/run-1.json",
          "title": "metadata.json of a run",
          "description": "What was run, on what, and what came of it. Fields without a value are left out. Within a schemaVersion no field is taken away or changes its meaning.",
          "type": "object",
          "required": ["schemaVersion", "kind", "runId", "jobName", "jobUid", "namespace", "agent", "dataset", "task", "attempt", "rerun", "index", "retries", "scores", "passed", "outcome", "timings", "exitCodes", "config", "sourceRepo", "sourceCommit", "overlays", "evalFile", "timestamp"],
          "properties": {
            "schemaVersion": {"type": "integer", "const": 1, "description": "Version of this format."},
            "kind": {"type": "string", "enum": ["run", "retry"], "description": "retry: a try that infrastructure ended, kept below the run that followed it."},
            "runId": {"type": "string", "pattern": "^[0-9a-f]{16}$", "description": "The first 16 hex digits of SHA-256 over the compact JSON array [jobUid, agent, dataset, task, attempt, rerun]."},
            "jobName": {"type": "string", "description": "metadata.name of the EvalJob."},
            "jobUid": {"type": "string", "description": "metadata.uid of the EvalJob."},
            "namespace": {"type": "string", "description": "metadata.namespace of the EvalJob."},
            "agent": {"type": "string", "description": "The agent's name in the job."},
            "model": {"type": "string", "description": "The agent's model, when the job names one."},
            "dataset": {"type": "string", "description": "The dataset's name."},
            "task": {"type": "string", "description": "The task's name."},
            "attempt": {"type": "integer", "minimum": 1, "description": "Which attempt of the trial, from 1."},
            "rerun": {"type": "integer", "minimum": 0, "description": "0 unless the trial was asked for again."},
            "index": {"type": "integer", "minimum": 0, "description": "The trial's position in the job."},
            "retries": {"type": "integer", "minimum": 0, "description": "How many tries infrastructure ended before this one."},
            "scores": {"type": "object", "additionalProperties": {"type": "number"}, "description": "Every figure that the verifier wrote, by name; empty when there is no verdict."},
            "reward": {"type": "number", "description": "The figure that counts: the one named reward, else the only one, else the mean. Absent when there is no verdict."},
            "passed": {"type": "boolean", "description": "Whether the trial completed with a reward of exactly 1."},
            "outcome": {"type": "string", "enum": ["completed", "failed", "infrastructure", "skipped"], "description": "The class in which the trial is counted."},
            "error": {
              "type": "object",
              "required": ["type", "message"],
              "properties": {
                "type": {"type": "string", "description": "One of the documented error types."},
                "message": {"type": "string", "description": "What, where, and what to do."}
              },
              "description": "Why there is no verdict, or what else went wrong."
            },
            "timings": {
              "type": "object",
              "additionalProperties": {
                "type": "object",
                "required": ["startedAt", "seconds"],
                "properties": {
                  "startedAt": {"type": "string", "format": "date-time", "description": "By the node's clock."},
                  "seconds": {"type": "number", "minimum": 0, "description": "Measured."}
                }
              },
              "description": "The phases that happened: setup, install, execute, verify, collect, teardown."
            },
            "exitCodes": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "Exit codes of the agent's and the verifier's scripts, by phase."},
            "cost": {"type": "number", "description": "In the target's currency, when it is known."},
            "config": {
              "type": "object",
              "required": ["timeoutMultiplier", "instructionPath", "environment"],
              "properties": {
                "timeoutMultiplier": {"type": "number", "description": "What every timeout was multiplied with."},
                "agentTimeoutSec": {"type": "number", "description": "For execute, in seconds."},
                "installTimeoutSec": {"type": "number", "description": "For install, in seconds."},
                "verifierTimeoutSec": {"type": "number", "description": "For verify, in seconds."},
                "instructionPath": {"type": "string", "description": "Where the instruction lay in the trial."},
                "image": {"type": "string", "description": "The trial container's image."},
                "cpus": {"type": "number", "description": "CPU limit."},
                "memoryMB": {"type": "integer", "description": "Memory limit in MB."},
                "storageMB": {"type": "integer", "description": "Storage limit in MB."},
                "environment": {"type": "array", "items": {"type": "string"}, "description": "Names of the agent's environment variables; never their values."}
              },
              "description": "What the trial ran with."
            },
            "sourceRepo": {"type": "string", "description": "The benchmark's repository: org/repo, or its address where it has no such form."},
            "sourceCommit": {"type": "string", "description": "The commit of the benchmark that ran."},
            "sourceRef": {"type": "string", "description": "The ref that the job named, when it named one."},
            "overlays": {
              "type": "array",
              "items": {
                "type": "object",
                "required": ["name", "revision"],
                "properties": {
                  "name": {"type": "string", "description": "The OverlaySource."},
                  "revision": {"type": "string", "description": "The commit of it that was used."}
                }
              },
              "description": "In their order; later ones shadow earlier ones."
            },
            "evalFile": {"type": "string", "description": "The task's folder in the source."},
            "outputs": {
              "type": "object",
              "required": ["truncatedFiles", "skippedFiles", "unreadableFiles", "redactions", "unredacted"],
              "properties": {
                "truncatedFiles": {"type": "integer", "description": "Files cut or left out for their size; collected.json lists them."},
                "skippedFiles": {"type": "integer", "description": "Links, FIFOs, devices and sockets, which are not collected."},
                "unreadableFiles": {"type": "integer", "description": "Files and folders that could not be read."},
                "redactions": {"type": "integer", "description": "How many times a secret value was replaced."},
                "unredacted": {"type": "array", "items": {"type": "string"}, "description": "Names of variables whose secret was too short to redact."}
              },
              "description": "What the collector did to the outputs; absent when there are none."
            },
            "startedAt": {"type": "string", "format": "date-time", "description": "When the trial began."},
            "timestamp": {"type": "string", "format": "date-time", "description": "When the run ended; also the date of its commit."}
          }
        }
        """#

    static let summary = #"""
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "$id": "https://assay.dev/schemas/summary-1.json",
          "title": "summary.json of a run",
          "description": "What a listing needs of one run. Every field has the meaning that it has in metadata.json.",
          "type": "object",
          "required": ["schemaVersion", "kind", "runId", "jobName", "agent", "dataset", "task", "attempt", "passed", "outcome", "seconds", "sourceCommit", "timestamp"],
          "properties": {
            "schemaVersion": {"type": "integer", "const": 1, "description": "Version of this format."},
            "kind": {"type": "string", "enum": ["run", "retry"], "description": "As in metadata.json."},
            "runId": {"type": "string", "pattern": "^[0-9a-f]{16}$", "description": "As in metadata.json."},
            "jobName": {"type": "string", "description": "As in metadata.json."},
            "agent": {"type": "string", "description": "As in metadata.json."},
            "model": {"type": "string", "description": "As in metadata.json."},
            "dataset": {"type": "string", "description": "As in metadata.json."},
            "task": {"type": "string", "description": "As in metadata.json."},
            "attempt": {"type": "integer", "minimum": 1, "description": "As in metadata.json."},
            "reward": {"type": "number", "description": "As in metadata.json."},
            "passed": {"type": "boolean", "description": "As in metadata.json."},
            "outcome": {"type": "string", "enum": ["completed", "failed", "infrastructure", "skipped"], "description": "As in metadata.json."},
            "error": {"type": "string", "description": "error.type of metadata.json."},
            "seconds": {"type": "number", "minimum": 0, "description": "The sum of the phases."},
            "cost": {"type": "number", "description": "As in metadata.json."},
            "sourceCommit": {"type": "string", "description": "As in metadata.json."},
            "timestamp": {"type": "string", "format": "date-time", "description": "As in metadata.json."}
          }
        }
        """#

    static let job = #"""
        {
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "$id": "https://assay.dev/schemas/job-1.json",
          "title": "metadata.json of a job",
          "description": "A job's totals, written when it has ended. It lies where a run with the job's id would lie. Fields without a value are left out.",
          "type": "object",
          "required": ["schemaVersion", "kind", "runId", "jobName", "jobUid", "namespace", "totalTrials", "cancelled", "totals", "agents", "sourceRepo", "sourceCommit", "timestamp"],
          "properties": {
            "schemaVersion": {"type": "integer", "const": 1, "description": "Version of this format."},
            "kind": {"type": "string", "enum": ["job"], "description": "Tells the record from a run's."},
            "runId": {
              "type": "string",
              "pattern": "^[0-9a-f]{16}$",
              "description": "The first 16 hex digits of SHA-256 over the compact JSON array [jobUid]."
            },
            "jobName": {"type": "string", "description": "metadata.name of the EvalJob."},
            "jobUid": {"type": "string", "description": "metadata.uid of the EvalJob."},
            "namespace": {"type": "string", "description": "metadata.namespace of the EvalJob."},
            "totalTrials": {"type": "integer", "minimum": 0, "description": "agents x tasks x attempts."},
            "cancelled": {"type": "boolean", "description": "Whether the job was cancelled."},
            "reason": {"type": "string", "description": "Why the job ended early; absent when it ran to its end."},
            "totals": {
              "$ref": "#/$defs/figures",
              "description": "Over all trials."
            },
            "agents": {
              "type": "object",
              "additionalProperties": {
                "$ref": "#/$defs/figures"
              },
              "description": "The same by agent."
            },
            "sourceRepo": {"type": "string", "description": "As in a run's record."},
            "sourceCommit": {"type": "string", "description": "As in a run's record."},
            "startedAt": {"type": "string", "format": "date-time", "description": "When the job began."},
            "timestamp": {"type": "string", "format": "date-time", "description": "When the job ended; also the date of its commit."}
          },
          "$defs": {
            "figures": {
              "type": "object",
              "required": ["completed", "failed", "infrastructure", "skipped", "passes", "sumReward"],
              "properties": {
                "completed": {"type": "integer", "description": "Trials that ended without an error that takes the verdict away."},
                "failed": {"type": "integer", "description": "Trials that an error ended, of the agent, the verifier or the infrastructure."},
                "infrastructure": {"type": "integer", "description": "Those of them that infrastructure ended."},
                "skipped": {"type": "integer", "description": "Trials that were cancelled or never run."},
                "passes": {"type": "integer", "description": "Completed trials with a reward of exactly 1."},
                "passRate": {"type": "number", "description": "passes / (all - infrastructure - skipped); absent when there is nothing to divide by."},
                "meanReward": {"type": "number", "description": "Over the rewards that were produced; absent when there are none."},
                "minReward": {"type": "number", "description": "The least reward."},
                "maxReward": {"type": "number", "description": "The greatest reward."},
                "sumReward": {"type": "number", "description": "The sum of the rewards."},
                "cost": {"type": "number", "description": "The sum of the known costs."}
              }
            }
          }
        }
        """#
}
