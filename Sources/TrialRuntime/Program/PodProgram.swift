import Base
import EvalModel

/// The part of a trial's program that its pod uses. It is passed once, in the environment of the delivery container. Delivery writes the
/// runner's part as a shell file, and the collector's part into a volume that only the collector mounts.
public struct PodProgram: Sendable, Hashable, Codable {
    public var version: Int
    public var delivery: TrialProgram.Delivery
    public var steps: [TrialProgram.Step]
    public var verifier: TrialProgram.Verifier
    public var instructionPath: String
    /// Seconds within which the runner must open the gate.
    public var gateTimeoutSec: Double
    public var packLimitBytes: Int

    public init(_ program: TrialProgram, gateTimeoutSec: Double, packLimitBytes: Int) {
        self.init(
            delivery: program.delivery, steps: program.steps, verifier: program.verifier, instructionPath: program.agent.instructionPath,
            gateTimeoutSec: gateTimeoutSec, packLimitBytes: packLimitBytes)
    }

    public init(
        delivery: TrialProgram.Delivery, steps: [TrialProgram.Step], verifier: TrialProgram.Verifier, instructionPath: String,
        gateTimeoutSec: Double, packLimitBytes: Int
    ) {
        version = TrialProgram.currentVersion
        self.delivery = delivery
        self.steps = steps
        self.verifier = verifier
        self.instructionPath = instructionPath
        self.gateTimeoutSec = gateTimeoutSec
        self.packLimitBytes = packLimitBytes
    }

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
