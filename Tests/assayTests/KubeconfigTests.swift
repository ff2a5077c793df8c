import Base
import Foundation
import Testing
import YAML

@testable import assay

@Suite struct KubeconfigTests {
    /// `kubectl cluster-info` prints the address of the server.
    @Test func theServersAddressHasNoToken() async throws {
        try await Checkout.withFolder { folder in
            let host = try await ControlPlaneHost.start(.init(dataDirectory: folder))
            let config = try YAML.parseSingle(try FileReading.bytes("\(folder)/kubeconfig"))
            await host.stop(removeContainers: false)
            let cluster = try #require(config["clusters"]?[0]?["cluster"])
            let server = try #require(cluster["server"]?.string)
            #expect(host.token.count >= 32 && server == host.server && server.hasPrefix("http://127.0.0.1:"), "\(server)")
            #expect(!server.contains(host.token) && !server.contains("@"))
            #expect(cluster["proxy-url"]?.string?.contains(host.token) == true)
        }
    }
}
