import AssayAPI
import Base
import Git
import KubeClient
import KubeCore
import Planning

/// Stores a prepared job in ConfigMaps that the job owns, so that an operator which restarts needs no source.
///
/// The names depend on the content (`assay-<uid>-plan-<hash>-<n>`), so that two preparations are never mixed. The whole hash is in the
/// job's status, which users cannot write, so a missing, incomplete or replaced piece is noticed.
struct PlanStore: Sendable {
    /// The most bytes of the document in one ConfigMap.
    static let pieceBytes = 384 * 1024

    let maps: OwnedConfigMaps
    let policy: GitURL.Policy

    /// Stores the plan. Must be called before the job's status names the plan.
    func write(_ prepared: PreparedJob, for job: JobIdentity) async throws -> PlanStatus {
        let bytes = try PlanDocument(prepared).bytes()
        let pieces = Self.pieces(of: bytes, atMost: Self.pieceBytes)
        let status = PlanStatus(sha256: SHA256.hex(of: bytes), configMaps: pieces.count)
        for (number, piece) in pieces.enumerated() {
            try await maps.ensure(Self.name(number, of: status, for: job), data: [Self.key: piece], for: job)
        }
        return status
    }

    /// Reads the plan that the status names.
    /// - Throws: `PlanUnreadable` when the plan is missing or cannot be used; `KubeError` when the API server cannot be asked.
    func read(_ status: PlanStatus, for job: JobIdentity, spec: EvalJobSpec) async throws -> PreparedJob {
        var bytes: [UInt8] = []
        for number in 0..<status.configMaps {
            let name = Self.name(number, of: status, for: job)
            guard let piece = try await maps.read(name, for: job)?[Self.key] else {
                throw PlanUnreadable(why: "the ConfigMap \"\(name)\" is missing or is not the job's")
            }
            bytes += Array(piece.utf8)
        }
        guard SHA256.hex(of: bytes) == status.sha256 else { throw PlanUnreadable(why: "its ConfigMaps do not have the hash that the status names") }
        do { return try PlanDocument(parsing: bytes).job(spec, policy: policy) } catch let error as PlanUnreadable {
            throw error
        } catch {
            throw PlanUnreadable(why: "\(error)")
        }
    }

    private static let key = "plan.json"

    static func name(_ number: Int, of status: PlanStatus, for job: JobIdentity) -> String {
        OwnedConfigMaps.name(of: "plan-\(status.sha256.prefix(12))-\(number)", for: job)
    }

    /// Cuts the text only between characters, because a ConfigMap holds UTF-8.
    static func pieces(of bytes: [UInt8], atMost size: Int) -> [String] {
        var pieces: [String] = []
        var start = 0
        while start < bytes.count {
            var end = min(start + size, bytes.count)
            while end < bytes.count, end > start + 1, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            pieces.append(String(decoding: bytes[start..<end], as: UTF8.self))
            start = end
        }
        return pieces
    }
}
