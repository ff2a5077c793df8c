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
}
