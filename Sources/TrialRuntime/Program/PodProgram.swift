import Base
import EvalModel

/// The part of a trial's program that its pod uses. It is passed once, in the environment of the delivery container. Delivery writes the
/// runner's part as a shell file, and the collector's part into a volume that only the collector mounts.
public struct PodProgram: Sendable, Hashable, Codable {
    public var version: Int
    public var family: TaskSchema
    public var delivery: TrialProgram.Delivery
    public var steps: [TrialProgram.Step]
    public var verifier: TrialProgram.Verifier
    public var instructionPath: String
    public var environment: TrialProgram.Environment
    public var rewardStrategy: MultiStepRewardStrategy
    /// Who sets the PATH of the phases; nil when it is the image's own.
    public var pathSetter: PathSetter?
    /// Seconds within which the runner must open the gate.
    public var gateTimeoutSec: Double
    public var packLimitBytes: Int
    /// The most bytes of the collector's report.
    public var reportLimitBytes = TrialReport.maximumBytes
    /// nil when no phase is restricted. Otherwise the pod reaches only the egress proxy and the cache service.
    public var network: TrialNetwork?
    /// The most that the trial may hand over as artifacts, in bytes.
    public var handoverLimitBytes = HandoverLimits().bytes

    /// Whether the trial runs on the host of a vm target; nil: it does not.
    public var remote: Bool?

    /// Who sets a variable of the phases, instead of the image.
    public enum PathSetter: String, Sendable, Hashable, Codable {
        case task
        case agent
    }

    public init(_ program: TrialProgram, gateTimeoutSec: Double, packLimitBytes: Int) {
        self.init(
            family: program.identity.family, delivery: program.delivery, steps: program.steps, verifier: program.verifier,
            instructionPath: program.agent.instructionPath, environment: program.environment, rewardStrategy: program.rewardStrategy,
            gateTimeoutSec: gateTimeoutSec, packLimitBytes: packLimitBytes)
        if !program.network.isOpen { network = program.network }
        // The copies of all steps together.
        let storage = program.containers.filter(\.role.isVerifier).map(\.resources.storageMB)
        if let least = storage.min() { handoverLimitBytes = (least << 20) / 2 }
        let name = TrialVariables.path
        pathSetter = program.agent.env.contains(name) ? .agent : program[.trial]?.env.contains(name) == true ? .task : nil
    }

    public init(
        family: TaskSchema, delivery: TrialProgram.Delivery, steps: [TrialProgram.Step], verifier: TrialProgram.Verifier, instructionPath: String,
        environment: TrialProgram.Environment = .init(), rewardStrategy: MultiStepRewardStrategy = .mean, gateTimeoutSec: Double, packLimitBytes: Int
    ) {
        version = TrialProgram.currentVersion
        self.family = family
        self.delivery = delivery
        self.steps = steps
        self.verifier = verifier
        self.instructionPath = instructionPath
        self.environment = environment
        self.rewardStrategy = rewardStrategy
        self.gateTimeoutSec = gateTimeoutSec
        self.packLimitBytes = packLimitBytes
    }

    /// Whether the step's tests come with the task, and are not in a separate verifier's image.
    func deliversTests(ofStep step: Int) -> Bool { verifier.deliversTests(ofStep: step) }

    /// Whether the phase gets the variables of the egress proxy.
    func usesProxy(_ phase: TrialPhase) -> Bool { network?[phase].map { $0.mode != .none } ?? false }

    public var json: [UInt8] {
        get throws { try JSONValueEncoder().encode(self).serialized() }
    }

    /// - Parameter place: where the JSON was read from, for messages.
    /// - Throws: `internal_error` for JSON that is not a program, or is a program of another version.
    public init(json: some Sequence<UInt8>, from place: String) throws(TrialError) {
        do {
            let value = try JSONValue(parsing: Array(json))
            // The version is checked first, because another version may have a different structure.
            guard let version = value["version"]?.int else { throw TrialError(.internalError, "\(place): the program has no version") }
            guard version == TrialProgram.currentVersion else {
                throw TrialError(
                    .internalError,
                    "\(place): the operator wrote version \(version) of the trial's program and this image understands version "
                        + "\(TrialProgram.currentVersion); run the operator and its trials with the same image")
            }
            self = try JSONValueDecoder().decode(PodProgram.self, from: value)
            guard !steps.isEmpty else { throw TrialError(.internalError, "\(place): the program has no steps") }
        } catch let error as TrialError {
            throw error
        } catch {
            throw TrialError(.internalError, "\(place): the program cannot be read: \(error)")
        }
    }
}
