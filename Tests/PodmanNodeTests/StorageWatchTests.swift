import AssayTesting
import Base
import Glibc
import Testing

@testable import PodmanNode

@Suite("A container's limit of storage")
struct StorageWatchTests {
    @Test("the upper directories of overlay mounts, each once")
    func upperDirectories() {
        let text = """
            21 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/run/root/diff,workdir=/run/root/work
            22 21 0:21 / /proc rw,nosuid - proc proc rw
            23 21 0:22 / /usr rw,relatime shared:3 - overlay overlay rw,lowerdir=/usr,upperdir=/run/a\\040b/upper,workdir=/w,volatile
            24 21 0:22 / /opt rw,relatime - overlay overlay rw,lowerdir=/usr,upperdir=/run/a\\040b/upper,workdir=/w
            25 21 0:23 / /ro ro - overlay overlay ro,lowerdir=/l/A
            27 21 0:24 / /esc rw - overlay overlay rw,upperdir=/run/t\\011n\\012b\\134040/\\u
            26 21 8:1 /x /data rw - ext4 /dev/sda1 rw,upperdir=/no
            """
        #expect(StorageWatch.upperDirectories(mountinfo: text) == ["/run/root/diff", "/run/a b/upper", "/run/t\tn\nb\\040/\\u"])
    }

    @Test("measurements run one at a time, and other tasks go on meanwhile")
    func measuring() async throws {
        let measuring = StorageMeasuring()
        let state = Locked((running: 0, most: 0, isOpen: false))
        let end = SystemTime().monotonic() + 120
        let watches = Task {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<32 {
                    group.addTask {
                        let message = await measuring.watch(SystemTime()) {
                            state.withLock { $0 = ($0.running + 1, max($0.most, $0.running + 1), $0.isOpen) }
                            while !state.withLock({ $0.isOpen }), SystemTime().monotonic() < end { usleep(1000) }
                            state.withLock { $0.running -= 1 }
                            return "over"
                        }
                        #expect(message == "over")
                    }
                }
            }
        }
        #expect(await eventually { state.withLock { $0.running == 1 } })
        // More tasks than there are threads; none of them ends when the measurements hold the threads.
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<256 { group.addTask { await Task.yield() } }
        }
        #expect(SystemTime().monotonic() < end, "tasks waited for the measurement")
        state.withLock { $0.isOpen = true }
        await watches.value
        #expect(state.withLock { $0.most } == 1)
    }
}
