import Base
import EvalModel
import Git
import Glibc

/// How many confirmed records are kept, in case somebody rewrites the branch without them.
public struct ConfirmedRetention: Sendable, Hashable {
    public var records: Int
    public var bytes: Int
    public var seconds: Double

    public init(records: Int = 2000, bytes: Int = 64 << 20, seconds: Double = 24 * 3600) {
        self.records = records
        self.bytes = bytes
        self.seconds = seconds
    }
}

/// Records on this machine's disk: all those that no remote has confirmed yet, and for a while those that the remote has confirmed, in
/// case it loses them. A record is on the disk before `keep` returns.
///
/// - Guarantees: a process that is killed at any moment leaves complete records only: a file gets its name after its bytes
///   are synced, and each record's length and checksum reveal a truncated one. Damaged files are moved aside, never deleted.
/// - Recovery: after a kill, a record that had just been confirmed may be found as waiting. The next push finds it on the branch and
///   does not write it twice.
/// - Caveats: only one process at a time should use a directory. A second one loses nothing, but each process pushes only what it knows of.
final class LocalRunStore: Sendable {
    /// A file with several records that were synced together.
    private struct Segment {
        var file: String
        var bytes: Int
        var names: [String]
        /// The number of its records that are not confirmed.
        var waiting: Int
        var confirmedAt: Timestamp?
    }

    private struct Place {
        var segment: Int
        var range: Range<Int>
        var job: String
        var isConfirmed: Bool
    }

    private struct State {
        var next = 0
        var segments: [Int: Segment] = [:]
        var places: [String: Place] = [:]
        /// Segments in which all records are confirmed, oldest first.
        var retained: [Int] = []
        var retainedBytes = 0
        var retainedRecords = 0
    }

    let directory: String
    private let confirmedDirectory: String
    private let retention: ConfirmedRetention
    private let time: any TimeSource
    private let state = Locked(State())
    private static let suffix = ".run"

    /// Opens the store and creates its directories if they do not exist.
    /// - Parameter directory: contains the waiting records. Confirmed ones are in `<directory>-confirmed`.
    init(directory: String, retention: ConfirmedRetention = ConfirmedRetention(), time: any TimeSource = SystemTime()) throws(ArtifactError) {
        self.directory = directory
        confirmedDirectory = "\(directory)-confirmed"
        self.retention = retention
        self.time = time
        do {
            try Directory.make(directory, mode: 0o700)
            try Directory.make(confirmedDirectory, mode: 0o700)
        } catch {
            throw ArtifactError(.storage, "cannot keep results: \(error)")
        }
        removeLeftovers()
        // Confirmed records are read first, so that a record that is in both directories counts as waiting.
        for (folder, isConfirmed) in [(confirmedDirectory, true), (directory, false)] {
            let files = (Directory.names(in: folder) ?? []).filter { $0.hasSuffix(Self.suffix) }.map { "\(folder)/\($0)" }
            // In the order in which they were written: the oldest waiting record is pushed first, and the oldest confirmed one is evicted first.
            let dated = files.map { (file: $0, written: Self.written($0)) }.sorted { ($0.written, $0.file) < ($1.written, $1.file) }
            for entry in dated { open(entry.file, isConfirmed: isConfirmed) }
        }
        state.withLock { evict(&$0) }
    }

    /// Removes temporary files of a process that died during `keep`. Since `keep` had not returned, nothing is lost.
    private func removeLeftovers() {
        for name in Directory.names(in: directory) ?? [] where name.contains("\(Self.suffix).tmp-") {
            var info = stat()
            // Another process may be writing a recent one.
            if lstat("\(directory)/\(name)", &info) == 0, Glibc.time(nil) - info.st_mtim.tv_sec > 3600 { unlink("\(directory)/\(name)") }
        }
    }

    private static func written(_ file: String) -> Timestamp {
        var info = stat()
        guard lstat(file, &info) == 0 else { return Timestamp(seconds: 0) }
        return Timestamp(seconds: Int64(info.st_mtim.tv_sec), nanoseconds: Int32(info.st_mtim.tv_nsec))
    }

    private func open(_ file: String, isConfirmed: Bool) {
        let (found, size, changed, isWhole) = PendingRunsFile.scan(file)
        if !isWhole { Self.putAside(file, keeping: !found.isEmpty) }
        guard !found.isEmpty else { return }
        state.withLock { state in
            let id = state.next
            state.next += 1
            var segment = Segment(file: file, bytes: size, names: [], waiting: 0, confirmedAt: isConfirmed ? changed : nil)
            for record in found {
                if let other = state.places[record.name], !other.isConfirmed { continue }
                segment.names.append(record.name)
                state.places[record.name] = Place(segment: id, range: record.range, job: record.job, isConfirmed: isConfirmed)
            }
            // All its records are in another file, too. The file is left for the next process to check.
            guard !segment.names.isEmpty else { return }
            segment.waiting = isConfirmed ? 0 : segment.names.count
            state.segments[id] = segment
            if isConfirmed { Self.retain(id, &state) }
        }
    }

    // MARK: Keeping

    /// Stores records, all of them with one wait for the disk. If a record with the same name is already stored, the stored one stays
    /// unchanged.
    /// - Returns: the errors of records that could not be stored, by name.
    func keep(_ runs: [PendingRun]) -> [String: ArtifactError] {
        var new: [PendingRun] = []
        var names: Set<String> = []
        for run in runs where !isWaiting(run.name) && names.insert(run.name).inserted { new.append(run) }
        guard let first = new.first else { return [:] }
        do throws(FileError) {
            do throws(FileError) { try write(new) } catch {
                // Confirmed records are deleted to make room for unconfirmed ones.
                guard error.isFull, state.withLock({ dropRetained(&$0) }) else { throw error }
                try write(new)
            }
            return [:]
        } catch {
            // If all of them do not fit, some may fit one by one.
            if new.count > 1, error.isFull { return new.reduce(into: [:]) { $0.merge(keep([$1])) { first, _ in first } } }
            let others = new.count > 1 ? " and \(new.count - 1) more" : ""
            let failure = ArtifactError(
                .storage, "cannot keep the result of run \(first.id)\(others): \(error)\(error.isFull ? "; free some space" : "")")
            return Dictionary(new.map { ($0.name, failure) }, uniquingKeysWith: { first, _ in first })
        }
    }

    private func write(_ runs: [PendingRun]) throws(FileError) {
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for run in runs {
            let start = bytes.count
            bytes += PendingRunsFile.encode(run)
            ranges.append(start..<bytes.count)
        }
        var file = "\(directory)/\(runs[0].name)\(Self.suffix)"
        while FileEntry.exists(file) { file = "\(directory)/\(runs[0].name)-\(UInt32.random(in: 0 ... .max))\(Self.suffix)" }
        try FileWriting.replace(file, with: bytes, mode: 0o600, durable: true)
        state.withLock { state in
            let id = state.next
            state.next += 1
            state.segments[id] = Segment(file: file, bytes: bytes.count, names: runs.map(\.name), waiting: runs.count, confirmedAt: nil)
            for (run, range) in zip(runs, ranges) { state.places[run.name] = Place(segment: id, range: range, job: run.job, isConfirmed: false) }
        }
    }

    // MARK: Asking

    /// The waiting records, oldest first: their names and the jobs that they belong to.
    func waiting() -> [(name: String, job: String)] {
        state.withLock { state in
            state.places.filter { !$0.value.isConfirmed }
                .sorted { ($0.value.segment, $0.value.range.lowerBound) < ($1.value.segment, $1.value.range.lowerBound) }
                .map { (name: $0.key, job: $0.value.job) }
        }
    }

    func isWaiting(_ name: String) -> Bool { state.withLock { $0.places[name].map { !$0.isConfirmed } ?? false } }

    /// The job of a stored record.
    func job(of name: String) -> String? { state.withLock { $0.places[name]?.job } }

    /// The names of confirmed records that could be pushed again.
    func retained() -> [String] { state.withLock { $0.places.filter(\.value.isConfirmed).map(\.key) } }

    /// Reads a record; nil if it is not stored, or is damaged. A damaged one is moved aside, never deleted.
    func load(_ name: String) -> PendingRun? {
        guard
            let (place, file) = state.withLock({ state in
                state.places[name].flatMap { place in state.segments[place.segment].map { (place, $0.file) } }
            })
        else { return nil }
        if let bytes = PendingRunsFile.read(file, place.range), let run = PendingRunsFile.decode(bytes), run.name == name { return run }
        putAside(name)
        return nil
    }

    // MARK: Confirming

    /// Marks records as confirmed by the remote. They are then kept only as long as the retention says.
    func confirm(_ names: [String]) {
        state.withLock { state in
            for name in names {
                guard var place = state.places[name], !place.isConfirmed else { continue }
                place.isConfirmed = true
                state.places[name] = place
                state.segments[place.segment]?.waiting -= 1
                guard let segment = state.segments[place.segment], segment.waiting == 0 else { continue }
                move(place.segment, segment, to: confirmedDirectory, &state)
                state.segments[place.segment]?.confirmedAt = time.now()
                Self.retain(place.segment, &state)
            }
            evict(&state)
        }
    }

    /// Marks records that the remote has lost as waiting again. Returns those that are still stored.
    func restore(_ names: [String]) -> [String] {
        state.withLock { state in
            var restored: [String] = []
            for name in names {
                guard var place = state.places[name], place.isConfirmed, let segment = state.segments[place.segment] else { continue }
                if segment.waiting == 0 {
                    Self.release(place.segment, &state)
                    move(place.segment, segment, to: directory, &state)
                }
                place.isConfirmed = false
                state.places[name] = place
                state.segments[place.segment]?.waiting += 1
                restored.append(name)
            }
            return restored
        }
    }

    private func move(_ id: Int, _ segment: Segment, to folder: String, _ state: inout State) {
        let name = segment.file.split(separator: "/").last.map(String.init) ?? ""
        var target = "\(folder)/\(name)"
        while FileEntry.exists(target) { target = "\(folder)/\(name.dropLast(Self.suffix.count))-\(UInt32.random(in: 0 ... .max))\(Self.suffix)" }
        // If the file cannot be moved it stays valid, but the next process will find its records in their old state.
        if rename(segment.file, target) == 0 { state.segments[id]?.file = target }
    }

    private static func retain(_ id: Int, _ state: inout State) {
        guard let segment = state.segments[id] else { return }
        state.retained.append(id)
        state.retainedBytes += segment.bytes
        state.retainedRecords += segment.names.count
    }

    private static func release(_ id: Int, _ state: inout State) {
        guard let index = state.retained.firstIndex(of: id), let segment = state.segments[id] else { return }
        state.retained.remove(at: index)
        state.retainedBytes -= segment.bytes
        state.retainedRecords -= segment.names.count
    }

    private func evict(_ state: inout State) {
        let now = time.now()
        while let oldest = state.retained.first, let segment = state.segments[oldest] {
            let age = segment.confirmedAt.map { now - $0 } ?? 0
            guard state.retainedBytes > retention.bytes || state.retainedRecords > retention.records || age > retention.seconds else { return }
            drop(oldest, segment, &state)
        }
    }

    /// Deletes all confirmed records. Returns whether there were any.
    private func dropRetained(_ state: inout State) -> Bool {
        let all = state.retained
        for id in all { if let segment = state.segments[id] { drop(id, segment, &state) } }
        return !all.isEmpty
    }

    private func drop(_ id: Int, _ segment: Segment, _ state: inout State) {
        Self.release(id, &state)
        unlink(segment.file)
        for name in segment.names where state.places[name]?.segment == id { state.places[name] = nil }
        state.segments[id] = nil
    }

    // MARK: Damage

    private func putAside(_ name: String) {
        state.withLock { state in
            guard let place = state.places.removeValue(forKey: name), var segment = state.segments[place.segment] else { return }
            segment.names.removeAll { $0 == name }
            if !place.isConfirmed { segment.waiting -= 1 }
            Self.putAside(segment.file, keeping: !segment.names.isEmpty)
            if segment.names.isEmpty {
                Self.release(place.segment, &state)
                state.segments[place.segment] = nil
            } else {
                state.segments[place.segment] = segment
            }
        }
    }

    private static func putAside(_ file: String, keeping: Bool) {
        if keeping { link(file, file + ".damaged") } else { rename(file, file + ".damaged") }
    }
}
