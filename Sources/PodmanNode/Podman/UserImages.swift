import Base
import Subprocess

/// The image storage of the user's own podman. Reading it means that an image built with `podman build` needs no registry.
enum UserImages {
    /// Storage directories that can be read in addition to the node's own.
    static func stores(podman: String) async -> [String] {
        let command = Command(podman, ["info", "--format", "json"], workingDirectory: "/", deadlineSeconds: 30)
        guard let result = try? await command.run(), result.succeeded, let info = try? JSONValue(parsing: result.stdout),
            let root = info.at("store", "graphRoot")?.string, info.at("store", "graphDriverName")?.string == "overlay",
            FileEntry.exists(root + "/overlay-images"), !root.contains(",")
        else { return [] }
        return [root]
    }
}
