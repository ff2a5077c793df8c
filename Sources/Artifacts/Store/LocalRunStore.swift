import Base
import EvalModel
import Git
import Glibc

/// Records that no remote has confirmed yet, one file each, on the disk before `keep` returns.
///
/// A process that is killed at any moment leaves whole files or none: a file gets its name after its bytes are synced,
/// and its length and digest tell a torn one apart.
public struct LocalRunStore: Sendable {
    public let directory: String
    private static let magic = Array("assay-run 1\n".utf8)
    private static let suffix = ".run"

    /// Makes the directory when it is not there.
    public init(directory: String) throws(ArtifactError) {
        self.directory = directory
        do { try PlainFile.makeDirectories(directory, mode: 0o700) } catch { throw ArtifactError(.storage, "cannot keep results: \(error)") }
        removeLeftovers()
    }

    /// Files without their name yet, of a process that died while it wrote; nobody was told that they are kept.
    private func removeLeftovers() {
        for name in PlainFile.names(in: directory) ?? [] where name.contains("\(Self.suffix).tmp-") {
            var info = stat()
            // Another process may be writing one right now.
            if lstat("\(directory)/\(name)", &info) == 0, time(nil) - info.st_mtim.tv_sec > 3600 { unlink("\(directory)/\(name)") }
        }
    }

    /// Keeps a record; does nothing when one of its name is kept already: what was promised first stays.
    public func keep(_ run: PendingRun) throws(ArtifactError) {
        let path = path(run.name)
        if PlainFile.exists(path), load(run.name) != nil { return }
        let body = Self.encode(run)
        let bytes = Self.magic + Array((SHA256.hex(of: body) + "\n").utf8) + body
        do {
            try PlainFile.replace(path, with: bytes, mode: 0o600, durable: true)
        } catch {
            throw ArtifactError(.storage, "cannot keep the result of run \(run.id): \(error)\(error.isFull ? "; free some space" : "")")
        }
    }

    /// The names of what is kept, sorted.
    public func names() -> [String] {
        (PlainFile.names(in: directory) ?? []).filter { $0.hasSuffix(Self.suffix) }.map { String($0.dropLast(Self.suffix.count)) }
    }

    /// nil when it is not kept, or damaged: a damaged file is put aside, never deleted.
    public func load(_ name: String) -> PendingRun? {
        guard let bytes = PlainFile.read(path(name)) else { return nil }
        let head = Self.magic.count + 65
        guard bytes.count > head, bytes.starts(with: Self.magic), bytes[head - 1] == 0x0A,
            String(decoding: bytes[Self.magic.count..<(head - 1)], as: UTF8.self) == SHA256.hex(of: Array(bytes[head...])),
            let run = Self.decode(Array(bytes[head...])), run.name == name
        else {
            rename(path(name), path(name) + ".damaged")
            return nil
        }
        return run
    }

    /// Forgets records that the remote has.
    public func remove(_ names: [String]) {
        for name in names { unlink(path(name)) }
    }

    private func path(_ name: String) -> String { "\(directory)/\(name)\(Self.suffix)" }

    // MARK: Format: a line of JSON, then the files' bytes, then the pack's

    private static func encode(_ run: PendingRun) -> [UInt8] {
        let files = run.files.sorted { $0.key < $1.key }
        var header: JSONValue = [
            "id": .string(run.id.rawValue), "message": .string(run.message), "date": .string(run.date.rfc3339),
            "files": .array(files.map { ["path": .string($0.key.text), "bytes": JSONValue($0.value.count)] }),
        ]
        if case .retry(let n) = run.slot { header["retry"] = JSONValue(n) }
        if let pack = run.pack { header["pack"] = ["tree": .string(pack.tree.hex), "bytes": JSONValue(pack.bytes.count)] }
        return header.serialized() + [0x0A] + files.flatMap(\.value) + (run.pack?.bytes ?? [])
    }

    private static func decode(_ bytes: [UInt8]) -> PendingRun? {
        guard let end = bytes.firstIndex(of: 0x0A), let header = try? JSONValue(parsing: bytes[..<end]),
            let id = header["id"]?.string.flatMap(RunID.init), let message = header["message"]?.string,
            let date = header["date"]?.string.flatMap(Timestamp.init(rfc3339:)), let list = header["files"]?.array
        else { return nil }
        var rest = bytes[(end + 1)...]
        func take(_ count: Int?) -> [UInt8]? {
            guard let count, count >= 0, rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        var files: [GitPath: [UInt8]] = [:]
        for file in list {
            guard let path = file["path"]?.string.flatMap({ try? GitPath(parsing: $0) }), let content = take(file["bytes"]?.int) else { return nil }
            files[path] = content
        }
        var pack: PendingRun.Pack?
        if let info = header["pack"] {
            guard let tree = info["tree"]?.string.flatMap({ GitObjectID($0) }), let content = take(info["bytes"]?.int) else { return nil }
            pack = .init(bytes: content, tree: tree)
        }
        return PendingRun(id: id, slot: header["retry"]?.int.map { .retry($0) } ?? .final, files: files, pack: pack, message: message, date: date)
    }
}
