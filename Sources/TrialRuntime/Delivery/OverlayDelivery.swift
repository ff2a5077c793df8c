import Base
import EvalModel
import Git
import SourceSync

extension TreeReference {
    /// One surface of an overlay, as delivery reads it.
    /// - Throws: nothing for a surface that the overlay has.
    init?(_ overlay: TrialProgram.Delivery.Overlay, _ surface: OverlaySurface) throws {
        guard let path = overlay.paths[surface] else { return nil }
        guard let commit = GitObjectID(overlay.commit) else {
            throw TrialError(.internalError, "the program's commit of overlay \"\(overlay.name)\" is not a full commit id")
        }
        if surface == .prompt, let name = path.last {
            self.init(repository: overlay.repo, commit: commit, path: path.parent, parts: [try GitPath(parsing: name)])
        } else {
            self.init(repository: overlay.repo, commit: commit, path: path)
        }
    }
}

extension TrialProgram.Delivery.Overlay {
    /// What delivery reads of the overlay from the cache service.
    public func trees() throws -> [TreeReference] { try paths.surfaces.compactMap { try TreeReference(self, $0) } }
}

/// Reads overlays from the cache service into their volume: each surface of each overlay in a directory of its own, as it is in the commit.
struct OverlayDelivery: Sendable {
    let overlays: [TrialProgram.Delivery.Overlay]
    let paths: TrialPaths
    let trees: CachedTrees

    func deliver() async throws -> TreeExport.Report {
        var total = TreeExport.Report()
        for overlay in overlays {
            for surface in overlay.paths.surfaces {
                guard let tree = try TreeReference(overlay, surface) else { continue }
                let report = try await deliver(tree, surface, to: paths.overlay(overlay.name, surface))
                total.files += report.files
                total.bytes += report.bytes
            }
        }
        return total
    }

    private func deliver(_ tree: TreeReference, _ surface: OverlaySurface, to destination: String) async throws -> TreeExport.Report {
        let (folder, name) =
            surface == .prompt ? (Path.parent(of: destination), destination.split(separator: "/").last.map(String.init)) : (destination, nil)
        var layout: FolderLayout?
        try await trees.read(tree) {
            Directory.removeTree(destination)
            let new = try FolderLayout(folder)
            layout = new
            return { event in
                switch event {
                // The prompt's file has the same name in every overlay.
                case .entry(let entry): try new.begin(entry.kind, at: name.map { [$0] } ?? entry.path)
                case .content(let piece): try new.add(piece)
                }
            }
        }
        return layout?.report ?? TreeExport.Report()
    }
}
