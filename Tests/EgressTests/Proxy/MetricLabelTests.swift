import Base
import Testing

@testable import Egress

@Suite("Values of the proxy's metric labels")
struct MetricLabelTests {
    @Test("the catalogue has each result that the proxy counts: one that it does not have would be counted as `other`")
    func results() throws {
        let address = try #require(IPAddress("10.0.0.1"))
        let reasons: [DenialReason] = [
            .noNetwork, .notAllowed, .addressNotPublic(address, .private), .clusterAddress(address), .ownAddress(address), .deniedByProxy(address),
            .tokenExpired,
        ]
        let destination = try Destination("10.0.0.1:443")
        let answers: [ProxyAnswer] = [
            .malformed(HTTPSyntaxError("x")), .unauthenticated("x"), .noProxy(errno: 1), .otherClient, .tooManyOfToken, .full, .resolverBusy,
            .unresolved(destination, "x"), .unreachable(destination, errno: 1), .resolveTimeout(destination), .connectTimeout(destination),
            .responseTimeout(destination), .badResponse(destination, "x"), .noResponse(destination), .own(200, "x"),
        ]
        let definition = try #require(MetricDefinition.all.first { $0.name == "assay_egress_requests_total" })
        let values = Set(definition.labels.first { $0.name == "result" }?.values ?? [])
        #expect(values == Set(answers.map(\.result) + reasons.map { "denied_\($0.code)" } + ["allowed", "broken"]))
    }
}
