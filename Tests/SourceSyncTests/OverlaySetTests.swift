import AssayTesting
import Base
import Git
import SourceSync
import Testing

@Suite("Overlays: what comes from where, and what shadows what")
struct OverlaySetTests {
    private func offers(_ overlay: String, _ names: [OverlaySurface: [String]]) -> OverlayOffers {
        OverlayOffers(overlay: overlay, names: names.mapValues { $0.map { EntryName($0) } })
    }

    @Test("a later overlay shadows earlier ones by name, surface by surface")
    func shadowing() {
        let set = OverlaySet([
            offers("base", [.tools: ["lint", "search"], .skills: ["review"], .prompt: ["a.md"]]),
            offers("team", [.tools: ["search", "deploy"], .workflows: ["lint"], .prompt: ["a.md"]]),
            offers("mine", [.tools: ["search"], .skills: ["review", "write"]]),
        ])
        let tools = set.entries(of: .tools)
        #expect(tools.map(\.name.text) == ["deploy", "lint", "search"])
        #expect(tools.map(\.overlay) == ["team", "base", "mine"])
        #expect(tools.map(\.shadowed) == [[], [], ["base", "team"]])
        #expect(set.shadows(ofOverlayAt: 0).isEmpty)
        #expect(set.shadows(ofOverlayAt: 1).map(\.description) == ["tool/search of base"])
        #expect(set.shadows(ofOverlayAt: 2).map(\.description) == ["tool/search of base", "tool/search of team", "skill/review of base"])
        #expect(set.shadows.count == 4 && set.similarities.isEmpty)
        #expect(set.entries(of: .prompt).isEmpty, "prompts are all delivered, in order")
    }

    @Test("names are bytes: what differs in case or Unicode form is another name, and is reported")
    func similar() {
        // é as one code point, and as two.
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed, "Swift itself takes them for the same")
        let set = OverlaySet([
            offers("base", [.tools: ["Search", composed], .skills: ["stra\u{DF}e"]]),
            offers("team", [.tools: ["search", decomposed, "SEARCH"], .skills: ["STRASSE"]]),
        ])
        #expect(set.entries(of: .tools).count == 5 && set.shadows.isEmpty)
        #expect(set.similarities(ofOverlayAt: 0).isEmpty)
        #expect(
            set.similarities(ofOverlayAt: 1).map(\.description) == [
                "tool/SEARCH and tool/Search of base", #"tool/cafe\u{301} and tool/caf\u{E9} of base"#, "tool/search and tool/Search of base",
                "tool/search and tool/SEARCH", #"skill/STRASSE and skill/stra\u{DF}e of base"#,
            ])
    }

    @Test("a commit's surfaces: missing ones are skipped with a note, an empty path disables, links are followed within the repository")
    func listing() async throws {
        let bench = try Workbench()
        let repository = try await bench.repository(files: [
            "tools/search/run.sh": "#!/bin/sh\n", "tools/lint": "#!/bin/sh\n", "tools/.hidden": "", "tools/gone": "-> ../../nowhere",
            "tools/alias": "-> ../lib/alias.sh", "lib/alias.sh": "x", "flows/nightly.yaml": "a: 1\n",
            ".agents/skills/review/SKILL.md": "Review.\n", ".agents/skills/README.md": "no skill\n", "prompts/main.md": "Be brief.\n", "file": "x",
            "linked": "-> .agents/skills",
        ])
        let resolver = SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: .local)
        func read(_ texts: [OverlaySurface: String]) async throws -> PinnedOverlay {
            try await resolver.overlay(
                "o", repo: "file://\(repository)", ref: "main", paths: try OverlayPaths(parsing: texts), secret: nil, credentials: .none)
        }
        let found = try await read([.tools: "tools", .workflows: "workflows", .skills: "linked", .prompt: "prompts/main.md", .personas: ""])
        #expect(found.offers.names[.tools]?.map(\.text) == ["alias", "lint", "search"])
        #expect(found.offers.names[.skills]?.map(\.text) == ["review"])
        #expect(found.offers.names[.prompt]?.map(\.text) == ["main.md"])
        #expect(found.offers.names[.workflows] == nil && found.offers.names[.personas] == nil)
        #expect(found.paths.surfaces == [.tools, .skills, .prompt])
        #expect(found.notes == [#""tools/gone" is a link to nothing in the repository"#, #"there is no folder "workflows""#])
        let wrong = try await read([.tools: "file", .prompt: "tools", .skills: "."])
        #expect(wrong.notes == [#""file" is no folder"#, #""tools" is no file"#])
        #expect(wrong.offers.names[.skills]?.map(\.text) == ["flows", "lib", "linked", "prompts", "tools"], "folders, and links to folders")
        #expect(throws: GitError.self) { try OverlayPaths(parsing: [.tools: "../x"]) }
    }

    @Test("a folder with very many entries: the lists and notes stay small, and say so")
    func manyEntries() async throws {
        let bench = try Workbench()
        var files: [String: String] = [:]
        for index in 0..<(OverlayListing.namesLimit + 5) { files["tools/\(1_000_000 + index)"] = "x" }
        for index in 0..<(OverlayListing.notesLimit + 5) { files["flows/\(index)"] = "-> nowhere" }
        let repository = try await bench.repository(files: files)
        let found = try await SourceResolver(cacheDirectory: "\(bench.path)/cache", policy: .local).overlay(
            "o", repo: "file://\(repository)", ref: "main", paths: try OverlayPaths(parsing: [.tools: "tools", .workflows: "flows"]), secret: nil,
            credentials: .none)
        #expect(found.offers.names[.tools]?.count == OverlayListing.namesLimit && found.offers.names[.tools]?.first?.text == "1000000")
        #expect(found.notes.count == OverlayListing.notesLimit + 1 && found.notes.last == "6 more notes")
        #expect(found.notes.first?.contains("\"tools\" has \(OverlayListing.namesLimit + 5) entries") == true, "\(found.notes.first ?? "")")
    }
}
