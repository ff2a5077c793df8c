import AssayAPI
import Base
import EvalModel
import KubeClient
import TrialPods

/// Why trials of a running job do not run yet, for the condition `Ready` and for one Event.
///
/// Pure. The words are those of the scheduler, the kubelet or the API server.
struct PendingCause: Sendable, Hashable {
    /// Of the condition and of the Event.
    var reason: Reason
    /// Names the kind of cause. The Event is written once for each kind, however often its words change.
    var kind: String
    var message: String
    /// Whether an Event is written for it. There is none for waiting for a slot while other trials of the job run.
    var isEvent = true

    /// A pod that has not started, or whose try failed and waits for the next.
    struct Pod: Sendable, Hashable {
        var name: String
        var index: Int
        /// The kubelet's or the scheduler's reason and message, or the error of the failed try.
        var reason: String
        var message: String
        /// The pod has ended; its trial is tried again.
        var isRetried = false
        /// Seconds since the pod was created.
        var age = 0.0

        /// Whether the pod is in a state that every pod passes through.
        var isOrdinary: Bool { ordinary.contains(reason) }
    }

    /// A target whose slots are all taken.
    struct Slots: Sendable, Hashable {
        var target: String
        var limit: Int
    }

    /// States that every pod passes through.
    private static let ordinary: Set<String> = ["", "Pending", "ContainerCreating", "PodInitializing"]
    private static let images: Set<String> = [
        "ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed",
    ]

    /// The API server refuses to create a trial's pod.
    static func refused(_ refusal: KubeError) -> PendingCause {
        PendingCause(reason: .trialPodRefused, kind: kind(of: refusal), message: "\(refusal)")
    }

    /// The cause that most of the pods have; a full target comes after it.
    static func find(pods: [Pod], slots: Slots?, unconfirmed: String?, running: Int, parallelism: Int) -> PendingCause? {
        if let most = mostCommon(pods) { return most }
        if let slots {
            let (text, isAlone) = ("all slots of the EvalTarget \"\(slots.target)\" are taken (maxConcurrentTrials: \(slots.limit))", running == 0)
            return PendingCause(
                reason: isAlone ? .waitingForSlot : .trialsRunning, kind: "slot", message: isAlone ? text : "\(text); the other trials wait",
                isEvent: isAlone)
        }
        if let unconfirmed { return PendingCause(reason: .pushPending, kind: "unconfirmed", message: unconfirmed) }
        if parallelism == 0 {
            return PendingCause(reason: .trialsRunning, kind: "parallelism", message: "spec.parallelism is 0: no trial starts", isEvent: false)
        }
        return nil
    }

    private static func mostCommon(_ pods: [Pod]) -> PendingCause? {
        var groups: [String: [Pod]] = [:]
        for pod in pods where !pod.isOrdinary { groups[kind(of: pod), default: []].append(pod) }
        // The message is that of the group's first pod, so that it does not change when another pod joins the group.
        let largest = groups.max { ($0.value.count, $1.key) < ($1.value.count, $0.key) }
        guard let (kind, group) = largest, let first = group.min(by: { ($0.index, $0.name) < ($1.index, $1.name) }) else { return slowest(pods) }
        let words = first.message.isEmpty ? first.reason : "\(first.reason): \(first.message)"
        return PendingCause(
            reason: .trialsPending, kind: kind,
            message: "pod \(first.name): \(words)".replacingControls + (first.isRetried ? "; the trial is tried again" : ""))
    }

    /// A pod whose containers the node has not started after a while. The reason (a large image, a volume that cannot be mounted) is only in the pod's
    /// Events, which the operator has no right to read.
    private static func slowest(_ pods: [Pod]) -> PendingCause? {
        let slow = pods.filter { $0.isOrdinary && $0.age >= slowSeconds }
        guard let first = slow.min(by: { ($0.index, $0.name) < ($1.index, $1.name) }) else { return nil }
        let words = first.message.isEmpty ? first.reason : "\(first.reason): \(first.message)"
        return PendingCause(
            reason: .trialsPending, kind: "slow",
            message: "pod \(first.name): \(words); `kubectl describe pod \(first.name)` shows what the node waits for".replacingControls,
            isEvent: false)
    }

    /// A pod that needs longer to start is mentioned.
    private static let slowSeconds = 10.0

    private static func kind(of pod: Pod) -> String { images.contains(pod.reason) ? "image" : pod.reason }

    /// A refusal without the parts that differ between pods: the pod's name before "is forbidden", and the numbers of a quota.
    private static func kind(of refusal: KubeError) -> String {
        let text = refusal.status?.message ?? "\(refusal)"
        let rest = text.firstRange(of: " is forbidden: ").map { text[$0.upperBound...] } ?? text[...]
        return "refused: " + String(rest.prefix(80)).withoutNumbers
    }

    /// The message to show after `before` was shown: `before` again if the new message adds nothing to it.
    ///
    /// Kubelets alternate between the error of a pull and the back-off after it, and put numbers in their messages that change each time.
    func message(replacing before: String?) -> String {
        guard let before else { return message }
        if before.withoutNumbers == message.withoutNumbers { return before }
        let pod = message.prefix { $0 != ":" }
        if message.contains(": ImagePullBackOff: "), before.hasPrefix("\(pod): ErrImagePull: ") { return before }
        return message
    }
}

extension String {
    /// The text with each run of digits as one `0`: two texts that differ in numbers only are then equal.
    var withoutNumbers: String { replacing(/[0-9]+/, with: "0") }
}
