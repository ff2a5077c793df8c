// All metrics of Assay: their names, types, help texts and labels. `/metrics` is written from this file, and a test holds docs/metrics.md to it.

/// A counter of the catalogue.
public enum CounterName: String, Sendable, CaseIterable {
    case apiRequests = "assay_api_requests_total"
    case cacheEvictions = "assay_cache_evictions_total"
    case cacheRequests = "assay_cache_requests_total"
    case egressBytes = "assay_egress_bytes_total"
    case egressConnections = "assay_egress_connections_total"
    case egressRequests = "assay_egress_requests_total"
    case eventsDropped = "assay_events_dropped_total"
    case gitFetches = "assay_git_fetches_total"
    case imageBuilds = "assay_image_builds_total"
    case imageLookups = "assay_image_lookups_total"
    case ledgerPushes = "assay_ledger_pushes_total"
    case ledgerRecords = "assay_ledger_records_total"
    case reconcileErrors = "assay_reconcile_errors_total"
    case reconciles = "assay_reconcile_total"
    case traceSpans = "assay_trace_spans_total"
    case trialErrors = "assay_trial_errors_total"
    case trials = "assay_trials_total"
    case watchFailures = "assay_watch_failures_total"
    case watchLists = "assay_watch_lists_total"
    case watchStreams = "assay_watch_streams_total"
    case workqueueAdds = "assay_workqueue_adds_total"

    var definition: MetricDefinition {
        switch self {
        case .apiRequests:
            counter(
                "Requests to the API server, by verb and status code; none: there was no answer.", .of("verb", MetricValues.verbs),
                .of("code", MetricValues.codes))
        case .cacheEvictions: counter("Entries that were removed to keep a cache below its limit.", .of("cache", MetricValues.caches))
        case .cacheRequests:
            counter("Lookups in a cache, by whether it had what was wanted.", .of("cache", MetricValues.caches), .of("result", ["hit", "miss"]))
        case .egressBytes:
            counter(
                "Bytes passed on: sent to servers, received from servers. Answers of the proxy itself are not counted.",
                .of("direction", ["received", "sent"]))
        case .egressConnections:
            counter(
                "Client connections, by whether they were accepted or refused for a limit.",
                .of("result", ["accepted", "refused_client_full", "refused_full"]))
        case .egressRequests:
            counter(
                "Requests by kind and result: allowed, denied_* by reason, or how it failed.", .of("kind", ["connect", "http", "own", "unknown"]),
                .of("result", MetricValues.egressResults))
        case .eventsDropped: counter("Events that were not written.")
        case .gitFetches:
            counter(
                "Clones and fetches of sources by result.", .of("kind", ["clone", "fetch"]),
                .of("result", ["ok", "cancelled", "denied", "failed", "not_found", "storage", "unreachable"]))
        case .imageBuilds: counter("Builds of task images by result.", .of("result", ["built", "failed", "timeout"]))
        case .imageLookups: counter("Lookups of task images before a build, by result.", .of("result", ["found", "missing", "failed"]))
        case .ledgerPushes: counter("Pushes to artifact branches by result.", .of("result", MetricValues.pushResults))
        case .ledgerRecords: counter("Records that artifact branches have confirmed.")
        case .reconcileErrors: counter("Reconciles that failed and are tried again.", .part("controller"))
        case .reconciles:
            counter("Reconciles by result.", .part("controller"), .of("result", ["done", "error", "requeue", "waiting"]))
        case .traceSpans: counter("Spans of traces, by whether they were exported or dropped.", .of("result", ["dropped", "exported"]))
        case .trialErrors: counter("Errors of counted trials, by type.", .of("type", MetricValues.trialErrors))
        case .trials: counter("Trials counted, by result.", .of("result", ["completed", "failed", "infrastructure", "skipped"]))
        case .watchFailures: counter("Failures while following a resource.", .part("resource"))
        case .watchLists: counter("Pages of lists that were requested.", .part("resource"))
        case .watchStreams: counter("Watch streams that were requested: the first one and each restart.", .part("resource"))
        case .workqueueAdds: counter("Requests to reconcile an object.", .part("controller"))
        }
    }

    private func counter(_ help: String, _ labels: MetricDefinition.Label...) -> MetricDefinition {
        MetricDefinition(name: rawValue, kind: .counter, help: help, labels: labels)
    }
}

/// A gauge of the catalogue.
public enum GaugeName: String, Sendable, CaseIterable {
    case cacheBytes = "assay_cache_bytes"
    case egressConnections = "assay_egress_connections"
    case leader = "assay_leader"
    case ledgerOldestSeconds = "assay_ledger_oldest_pending_seconds"
    case ledgerPending = "assay_ledger_pending_records"
    case trials = "assay_trials"
    case watchAge = "assay_watch_age_seconds"
    case workqueueDepth = "assay_workqueue_depth"
    case workqueueLongestRunning = "assay_workqueue_longest_running_seconds"

    var definition: MetricDefinition {
        switch self {
        case .cacheBytes: gauge("Bytes that a cache had after its last change.", .of("cache", MetricValues.caches))
        case .egressConnections: gauge("Client connections now.")
        case .leader: gauge("1 while this replica works, 0 while it waits for the Lease.")
        case .ledgerOldestSeconds: gauge("Seconds that the oldest record has waited for its push; 0 when none waits.")
        case .ledgerPending: gauge("Records that wait for their push.")
        case .trials: gauge("Trials that have a pod and are not counted, by phase of the pod.", .of("phase", ["ended", "pending", "running"]))
        case .watchAge: gauge("Seconds since the last answer of the server about a resource.", .part("resource"))
        case .workqueueDepth: gauge("Keys ready to be reconciled.", .part("controller"))
        case .workqueueLongestRunning: gauge("Seconds that the longest running reconcile has taken so far; 0 when none runs.", .part("controller"))
        }
    }

    private func gauge(_ help: String, _ labels: MetricDefinition.Label...) -> MetricDefinition {
        MetricDefinition(name: rawValue, kind: .gauge, help: help, labels: labels)
    }
}

/// A histogram of the catalogue.
public enum HistogramName: String, Sendable, CaseIterable {
    case apiSeconds = "assay_api_request_seconds"
    case imageBuildSeconds = "assay_image_build_seconds"
    case ledgerBatch = "assay_ledger_batch_records"
    case ledgerLag = "assay_ledger_lag_seconds"
    case ledgerPushSeconds = "assay_ledger_push_seconds"
    case reconcileSeconds = "assay_reconcile_seconds"
    case trialPhaseSeconds = "assay_trial_phase_seconds"
    case workqueueWait = "assay_workqueue_wait_seconds"

    var definition: MetricDefinition {
        switch self {
        case .apiSeconds:
            histogram(
                "Time until the API server's answer begins, by verb.", .of("verb", MetricValues.verbs),
                bounds: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
        case .imageBuildSeconds: histogram("Duration of builds of task images.", bounds: [5, 15, 30, 60, 120, 300, 600, 1800, 3600])
        case .ledgerBatch: histogram("Records of a push.", bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
        case .ledgerLag:
            histogram("Time from keeping a record until its push is confirmed.", bounds: [1, 2.5, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 21600])
        case .ledgerPushSeconds: histogram("Duration of pushes, failed ones too.", bounds: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120])
        case .reconcileSeconds:
            histogram(
                "Duration of reconciles.", .part("controller"), bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])
        case .trialPhaseSeconds:
            histogram(
                "Duration of the phases of counted trials.", .of("phase", MetricValues.trialPhases),
                bounds: [0.1, 1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200])
        case .workqueueWait:
            histogram(
                "Time that an object was ready to be reconciled and waited for a worker.", .part("controller"),
                bounds: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 300])
        }
    }

    private func histogram(_ help: String, _ labels: MetricDefinition.Label..., bounds: [Double]) -> MetricDefinition {
        MetricDefinition(name: rawValue, kind: .histogram, help: help, labels: labels, bounds: bounds)
    }
}

/// The values of labels that several metrics have, or that are many.
private enum MetricValues {
    static let caches = ["fixtures", "mirrors", "trees"]
    static let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    static let codes = ["200", "201", "202", "400", "401", "403", "404", "409", "410", "422", "429", "500", "503", "504", "none", "other"]
    static let egressResults = [
        "allowed", "bad_response", "broken", "denied_address_not_public", "denied_cluster_address", "denied_denied_by_proxy", "denied_no_network",
        "denied_not_allowed", "denied_own_address", "denied_token_expired", "limit", "malformed", "no_proxy", "other_client", "own", "timeout",
        "unauthenticated", "unreachable", "unresolved",
    ]
    static let pushResults = ["pushed", "default_branch", "failed", "invalid", "refused", "storage", "too_large", "unreachable"]
    static let trialPhases = ["setup", "install", "execute", "verify", "collect", "teardown"]
    static let trialErrors = [
        "agent_execution_failed", "agent_execution_timeout", "agent_install_failed", "agent_install_timeout", "artifact_truncated", "cancelled",
        "environment_build_failed", "environment_build_timeout", "environment_evicted", "environment_image_pull_failed",
        "environment_network_failed", "environment_node_lost", "environment_resource_allocation_failed", "environment_service_failed",
        "environment_start_failed", "fixture_mismatch", "internal_error", "source_sync_failed", "task_invalid",
        "task_not_found", "verifier_failed", "verifier_reward_invalid", "verifier_reward_missing", "verifier_timeout",
    ]
}
