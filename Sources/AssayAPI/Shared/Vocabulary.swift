import KubeCore

/// Names that must not change: API group, labels, annotations, finalizers.
public enum AssayNames {
    public static let group = "assay.dev"
    public static let version = "v1alpha1"
    public static let managedByLabel = "app.kubernetes.io/managed-by"
    public static let managedByValue = "assay"
    /// The EvalJob's name, shortened to the maximum length of a label value.
    public static let jobLabel = "assay.dev/job"
    public static let jobUIDLabel = "assay.dev/job-uid"
    /// `public` or `proxied`: what the pod may connect to. The NetworkPolicies select by it.
    public static let networkLabel = "assay.dev/network"
    public static let indexLabel = "assay.dev/index"
    public static let rerunLabel = "assay.dev/rerun"
    public static let retryLabel = "assay.dev/retry"
    public static let agentIndexLabel = "assay.dev/agent-index"
    /// On a preserved pod whose trial is in the job's counts.
    public static let countedLabel = "assay.dev/counted"
    /// Keeps a trial pod until its outcome is counted.
    public static let trialFinalizer = "assay.dev/trial-tracking"
    /// On an EvalJob: running trials are stopped without a record, and no new ones start, until the annotation is removed. The
    /// stopped trials then run again. Ctrl-C of `assay run` sets it. On a trial pod: it was stopped this way and does not count.
    public static let interruptedAnnotation = "assay.dev/interrupted"
    /// On an EvalJob: its deletion does not wait for results that cannot be recorded. The annotation's value does not matter.
    public static let abandonResultsAnnotation = "assay.dev/abandon-results"
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
    /// True when the job cannot continue until the spec changes; absent otherwise.
    case stalled = "Stalled"
    case sourceReady = "SourceReady"
    case targetReady = "TargetReady"
    case overlaysReady = "OverlaysReady"
    case artifactsReady = "ArtifactsReady"
    case complete = "Complete"
    case failed = "Failed"
    /// True when the job is over, however it ended. `kubectl wait` can wait for it.
    case finished = "Finished"
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
    /// Trials wait for images that are being built.
    case buildingImages = "BuildingImages"
    /// A target cannot build images; the message says what refused.
    case buildRefused = "BuildRefused"
    /// A program that a target needs is missing; the message says which, and how to install it.
    case dependencyMissing = "DependencyMissing"
    case trialsRunning = "TrialsRunning"
    /// Trials have pods that cannot start; the message says why.
    case trialsPending = "TrialsPending"
    /// Every slot of the job's target is taken by other jobs.
    case waitingForSlot = "WaitingForSlot"
    case trialsComplete = "TrialsComplete"
    /// The API server refuses a trial's pod for now, for example because of a quota or an admission rule.
    case trialPodRefused = "TrialPodRefused"
    case invalidSpec = "InvalidSpec"
    /// The object uses a field that is not supported yet; the message names its path.
    case unsupportedField = "UnsupportedField"
    case tooManyTrials = "TooManyTrials"
    case noTrials = "NoTrials"
    case sourceResolved = "SourceResolved"
    case sourceInvalid = "SourceInvalid"
    case sourceUnreachable = "SourceUnreachable"
    case refNotFound = "RefNotFound"
    /// What was prepared for a job could not be written to its ConfigMaps.
    case planNotKept = "PlanNotKept"
    case datasetNotFound = "DatasetNotFound"
    case datasetInvalid = "DatasetInvalid"
    case secretNotFound = "SecretNotFound"
    case targetFound = "TargetFound"
    case targetNotFound = "TargetNotFound"
    case targetNotReady = "TargetNotReady"
    // The host of a vm target; the message says what to do.
    case hostUnreachable = "HostUnreachable"
    /// The host's key is not the one that is expected, or none is.
    case hostKeyMismatch = "HostKeyMismatch"
    case hostLoginRefused = "HostLoginRefused"
    /// The host is reached, and cannot run trials.
    case hostUnfit = "HostUnfit"
    /// The networks of trials cannot be restricted as they ask for; the message says why.
    case networkNotEnforced = "NetworkNotEnforced"
    case noOverlays = "NoOverlays"
    case overlayNotFound = "OverlayNotFound"
    /// An overlay of the job has no revision that can be used; the message says why.
    case overlayNotReady = "OverlayNotReady"
    /// The revisions of the job's overlays are fixed for all its trials.
    case overlaysPinned = "OverlaysPinned"
    case pushed = "Pushed"
    /// The results remote can be reached, and nothing was recorded yet.
    case remoteReady = "RemoteReady"
    case pushPending = "PushPending"
    case storedLocally = "StoredLocally"
    case branchIsDefault = "BranchIsDefault"
    case remoteUnreachable = "RemoteUnreachable"
    case remoteRejected = "RemoteRejected"
    case noResultsVolume = "NoResultsVolume"
    /// A deleted job's runs that were not recorded are given up.
    case resultsAbandoned = "ResultsAbandoned"
    // Events about single trials.
    case trialFailed = "TrialFailed"
    case trialRetried = "TrialRetried"
}
