import Base
import Git
import Glibc

/// Packs that pods send to the operator in pieces. A pack is complete, and right, when the pod that made it says so at its end.
public struct ClaimUploads: Sendable {
    /// The most bytes of one piece.
    public static let pieceBytes = 2 << 20

    private let directory: String
    /// The most bytes of one pack.
    private let sizeLimit: Int

    public init(directory: String, sizeLimit: Int = 2 << 30) {
        self.directory = directory
        self.sizeLimit = sizeLimit
    }

    /// What became of a piece.
    enum Outcome: Sendable, Hashable {
        /// The pack has this many bytes now.
        case kept(size: Int)
        /// The piece does not begin where the pack ends.
        case elsewhere(size: Int)
        case tooLarge
    }

    /// What a token allows that is for the pack of this name, in place of a `TreeReference.id`.
    static func grant(_ name: String) -> String { "claim:\(name)" }

    /// - Parameter name: lower-case letters, digits and dashes.
    public func path(_ name: String) -> String { "\(directory)/\(name).part" }

    static func isName(_ name: String) -> Bool {
        (1...100).contains(name.utf8.count) && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }

    /// Adds a piece to the end of the pack.
    func add(_ piece: [UInt8], to name: String, at offset: Int) throws(FileError) -> Outcome {
        try Directory.make(directory, mode: 0o700)
        let path = path(name)
        let file = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileError("open", path) }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0, lseek(file, 0, Int32(SEEK_END)) >= 0 else { throw FileError("read the size of", path) }
        let size = Int(info.st_size)
        guard offset == size else { return .elsewhere(size: size) }
        guard size + piece.count <= sizeLimit else { return .tooLarge }
        do { try FileWriting.write(piece, to: file, path: path) } catch {
            // Nothing of a piece is kept that is not there as a whole.
            ftruncate(file, off_t(size))
            throw error
        }
        return .kept(size: size + piece.count)
    }

    /// Begins anew: a pod sends its pack from the beginning.
    public func remove(_ name: String) { unlink(path(name)) }

    /// Removes what earlier processes left.
    public func clean() { Directory.removeTree(directory) }
}
