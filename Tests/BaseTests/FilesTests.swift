import Base
import Glibc
import Testing

@Suite struct FilesTests {
    /// A directory that is removed with the value.
    final class Folder: Sendable {
        let path = "/tmp/assay-files-\(UInt64.random(in: 0 ... .max))"
        init() throws { try Directory.make(path, mode: 0o700) }
        deinit { Directory.removeTree(path) }
    }

    private func mode(_ path: String) -> mode_t {
        var info = stat()
        return stat(path, &info) == 0 ? info.st_mode & 0o7777 : 0
    }

    @Test func readingIsBounded() throws {
        let folder = try Folder()
        let file = folder.path + "/a"
        try FileWriting.write("0123456789".utf8, to: file)
        #expect(try FileReading.bytes(file, limit: 10) == Array("0123456789".utf8))
        let error = #expect(throws: FileError.self) { try FileReading.bytes(file, limit: 9) }
        #expect(error?.isTooLarge == true && error?.path == file)
        #expect(FileReading.whole(file, limit: 9) == nil)
        #expect(FileReading.beginning(of: file, limit: 3) == Array("012".utf8))
        #expect(FileReading.end(of: file, bytes: 3) == Array("789".utf8))
        #expect(FileReading.text(file) == "0123456789")
    }

    @Test func aFileIsReplacedByACopy() throws {
        let folder = try Folder()
        let bytes = (0..<(2 << 20) + 7).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for content in [bytes, []] {
            try FileWriting.write(content, to: folder.path + "/from")
            try FileWriting.replace(folder.path + "/to", withCopyOf: folder.path + "/from")
            #expect(try FileReading.bytes(folder.path + "/to") == content)
        }
        let error = #expect(throws: FileError.self) { try FileWriting.replace(folder.path + "/to", withCopyOf: folder.path + "/none") }
        #expect(error?.path == folder.path + "/none")
        #expect(Directory.names(in: folder.path)?.sorted() == ["from", "to"], "nothing unfinished stays")
    }

    @Test func anErrorSaysWhatAndWhere() throws {
        let folder = try Folder()
        let error = #expect(throws: FileError.self) { try FileReading.bytes(folder.path + "/none") }
        #expect(error?.description == "cannot read \(folder.path)/none: No such file or directory")
    }

    @Test func aFIFOIsNotWaitedFor() throws {
        let folder = try Folder()
        #expect(mkfifo(folder.path + "/f", 0o600) == 0)
        #expect(FileReading.whole(folder.path + "/f") == [])
        #expect(FileReading.beginning(of: folder.path + "/f", limit: 1) == nil)
    }

    @Test func linksAreFollowedOnlyWhereItIsSaid() throws {
        let folder = try Folder()
        try FileWriting.write("x".utf8, to: folder.path + "/a")
        symlink("a", folder.path + "/link")
        symlink("none", folder.path + "/dangling")
        #expect(FileReading.whole(folder.path + "/link") == [120])
        #expect(FileReading.beginning(of: folder.path + "/link", limit: 1) == nil)
        #expect(throws: FileError.self) { try FileWriting.write("y".utf8, to: folder.path + "/link") }
        #expect(FileReading.whole(folder.path + "/a") == [120])
        #expect(FileEntry.kind(folder.path + "/link") == .link)
        #expect(FileEntry.linkTarget(folder.path + "/link") == "a" && FileEntry.linkTarget(folder.path + "/a") == nil)
        #expect(FileEntry.exists(folder.path + "/dangling") && !FileEntry.exists(folder.path + "/dangling", followingLinks: true))
    }

    @Test func replacingLeavesNoOtherName() throws {
        let folder = try Folder()
        try FileWriting.replace(folder.path + "/a", with: "one".utf8, mode: 0o666)
        try FileWriting.replace(folder.path + "/a", with: "two".utf8, mode: 0o640, durable: false)
        #expect(FileReading.text(folder.path + "/a") == "two")
        #expect(mode(folder.path + "/a") == 0o640)
        #expect(Directory.names(in: folder.path) == ["a"])
        #expect(throws: FileError.self) { try FileWriting.replace(folder.path + "/none/a", with: [1]) }
    }

    @Test func ofManyThatCreateAFileOneWritesItAndAllReadTheSame() async throws {
        let folder = try Folder()
        let path = folder.path + "/key"
        let read = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for number in 0..<32 {
                group.addTask {
                    try FileWriting.create(path, with: Array(repeating: UInt8(number), count: 64), mode: 0o600)
                    return try FileReading.bytes(path)
                }
            }
            return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
        }
        #expect(read.count == 1 && read.first?.count == 64)
        #expect(mode(path) == 0o600)
        #expect(Directory.names(in: folder.path) == ["key"])
        #expect(throws: FileError.self) { try FileWriting.create(folder.path + "/none/a", with: [1]) }
    }

    @Test func directoriesAreMadeWithTheirMode() throws {
        let folder = try Folder()
        try Directory.make(folder.path + "/a/b", mode: 0o1777)
        #expect(mode(folder.path + "/a") == 0o755 && mode(folder.path + "/a/b") == 0o1777)
        try Directory.make(folder.path + "/a/b", mode: 0o700)
        #expect(mode(folder.path + "/a/b") == 0o1777, "one that exists stays as it is")
        try FileWriting.write([], to: folder.path + "/f")
        let error = #expect(throws: FileError.self) { try Directory.make(folder.path + "/f/x") }
        #expect(error?.path == folder.path + "/f/x" || error?.path == folder.path + "/f")
    }

    @Test func aTreeGoesWhateverItsNamesAndModes() throws {
        let folder = try Folder()
        let victim = folder.path + "/victim"
        try Directory.make(victim)
        try FileWriting.write("kept".utf8, to: victim + "/file")
        let tree = folder.path + "/tree"
        try Directory.make(tree + "/sub")
        symlink(victim, tree + "/link")
        // Not valid UTF-8.
        let odd: [CChar] = Array((tree + "/sub/").utf8CString.dropLast()) + [CChar(bitPattern: 0xFF), CChar(bitPattern: 0xFE), 0]
        #expect(mkdir(odd, 0o755) == 0)
        chmod(tree + "/sub", 0o000)
        #expect(Directory.removeTree(tree))
        #expect(!FileEntry.exists(tree))
        #expect(FileReading.text(victim + "/file") == "kept")
        #expect(Directory.removeTree(tree), "what is not there is gone")
    }

    @Test func namesAreSortedAndCanBeLimited() throws {
        let folder = try Folder()
        for name in ["c", "a", ".b"] { try FileWriting.write([], to: "\(folder.path)/\(name)") }
        #expect(Directory.names(in: folder.path) == [".b", "a", "c"])
        #expect(Directory.names(in: folder.path, limit: 2)?.count == 2)
        #expect(Directory.names(in: folder.path + "/none") == nil)
    }

    @Test(arguments: [
        ("a", "/w", "/w/a"), ("./a/../b", "/w", "/w/b"), ("/x//y/.", "/w", "/x/y"), ("../../..", "/w/v", "/"), ("", "/w", "/w"),
        ("/", "/w", "/"),
    ])
    func anAbsolutePathHasNoDots(path: String, directory: String, absolute: String) {
        #expect(Path.absolute(path, in: directory) == absolute)
    }

    @Test func parentsAndNeighbours() {
        #expect(["/a/b", "/a", "a", "a/b"].map(Path.parent(of:)) == ["/a", "/", ".", "a"])
        #expect(Path.resolve("x", besides: "/a/b") == "/a/x")
        #expect(Path.resolve("/x", besides: "/a/b") == "/x")
        #expect(Path.resolve("x", besides: "b") == "x")
    }

    @Test func linesBeginAfterALineEnd() throws {
        let folder = try Folder()
        let file = folder.path + "/a"
        try FileWriting.write("one\ntwo\nthree".utf8, to: file)
        let fd = open(file, O_RDONLY | O_CLOEXEC)
        defer { close(fd) }
        #expect(FileReading.lineStart(fd, from: 1, to: 13) == 4)
        #expect(FileReading.lineStart(fd, from: 4, to: 13) == 4)
        #expect(FileReading.lineStart(fd, from: 9, to: 13) == 9)
        #expect(FileReading.range(fd, 4..<7) == Array("two".utf8))
        #expect(FileReading.range(fd, 8..<99) == Array("three".utf8))
    }
}
