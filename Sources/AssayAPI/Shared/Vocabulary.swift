import KubeCore

/// Names that are part of the contract: group, labels, finalizers.
public enum AssayNames {
    public static let group = "assay.dev"
    public static let version = "v1alpha1"
    public static let managedByLabel = "app.kubernetes.io/managed-by"
    public static let managedByValue = "assay"
    /// The EvalJob's name (cut to the length that a label may have).
    public static let jobLabel = "assay.dev/job"
    public static let jobUIDLabel = "assay.dev/job-uid"
    public static let indexLabel = "assay.dev/index"
    public static let rerunLabel = "assay.dev/rerun"
    public static let retryLabel = "assay.dev/retry"
    public static let agentIndexLabel = "assay.dev/agent-index"
    /// On a preserved pod whose trial is in the job's counts.
    public static let countedLabel = "assay.dev/counted"
    /// Keeps a trial pod until its outcome is in the counts.
    public static let trialFinalizer = "assay.dev/trial-tracking"
    /// On an EvalJob: its running trials are stopped without a record and no new ones start, until it is taken away again;
    /// they then run as if they never had. What Ctrl-C does to `assay run`. On a trial pod: it was stopped so, and counts for nothing.
    public static let interruptedAnnotation = "assay.dev/interrupted"
    /// Keeps an EvalJob until its runs are recorded.
    public static let jobFinalizer = "assay.dev/evaljob"
    /// The EvalTarget that a job without `targetRef` uses when it exists.
    public static let defaultTarget = "default"
}

extension ResourceType {
    public static let evalJobs = assay("evaljobs", "EvalJob")
    public static let evalTargets = assay("evaltargets", "EvalTarget")
    public static let overlaySources = assay("overlaysources", "OverlaySource")

    private static func assay(_ plural: String, _ kind: String) -> ResourceType {
        ResourceType(
            group: AssayNames.group, version: AssayNames.version, plural: plural, kind: kind, namespaced: true)
    }
}

/// Types of the conditions that Assay sets.
public enum ConditionType: String, Sendable, Hashable, CaseIterable {
    case ready = "Ready"
    /// True when nothing will happen until the spec changes; absent otherwise.
    case stalled = "Stalled"
    case sourceReady = "SourceReady"
    case targetReady = "TargetReady"
    case overlaysReady = "OverlaysReady"
    case artifactsReady = "ArtifactsReady"
    case complete = "Complete"
    case failed = "Failed"
    case preflight = "Preflight"
}

/// Reasons of conditions and events.
public enum Reason: String, Sendable, Hashable, CaseIterable {
    case progressing = "Progressing"
    case succeeded = "Succeeded"
    case suspended = "Suspended"
    case interrupted = "Interrupted"
    case cancelled = "Cancelled"
    case deadlineExceeded = "DeadlineExceeded"
    case trialsRunning = "TrialsRunning"
    case trialsComplete = "TrialsComplete"
    /// The API server does not take a trial's pod, for now: a quota, an admission rule.
    case trialPodRefused = "TrialPodRefused"
    case invalidSpec = "InvalidSpec"
    /// The object uses a field whose behaviour is not there yet; the message names its path.
    case unsupportedField = "UnsupportedField"
    case tooManyTrials = "TooManyTrials"
    case noTrials = "NoTrials"
    case sourceResolved = "SourceResolved"
    case sourceInvalid = "SourceInvalid"
    case sourceUnreachable = "SourceUnreachable"
    case refNotFound = "RefNotFound"
    case datasetNotFound = "DatasetNotFound"
    case datasetInvalid = "DatasetInvalid"
    case taskInvalid = "TaskInvalid"
    case secretNotFound = "SecretNotFound"
    case targetFound = "TargetFound"
    case targetNotFound = "TargetNotFound"
    case targetNotReady = "TargetNotReady"
    case noOverlays = "NoOverlays"
    case overlayNotFound = "OverlayNotFound"
    case pushed = "Pushed"
    case pushPending = "PushPending"
    case storedLocally = "StoredLocally"
    case branchIsDefault = "BranchIsDefault"
    case remoteUnreachable = "RemoteUnreachable"
    case remoteRejected = "RemoteRejected"
    case noResultsVolume = "NoResultsVolume"
    // Events about single trials.
    case trialStarted = "TrialStarted"
    case trialCompleted = "TrialCompleted"
    case trialFailed = "TrialFailed"
    case trialRetried = "TrialRetried"
}
