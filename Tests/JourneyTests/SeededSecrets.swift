import Cryptography
import FileTree
import SystemPackage
import TestSupport

/// A secret as somebody leaves it in a delivery system: in a file of its usual name, or where nobody would look for it.
struct SeededSecret {
    /// What it is, for people.
    var kind: String
    /// Where it is, below the directory of the test.
    var path: String
    /// The file, around the secret.
    var contents: [UInt8]
    /// What must be found nowhere.
    var needle: String

    /// One of each kind.
    ///
    /// The texts are put together here, so that no scanner takes this file for a leak. `worker` is the `buildbot.tac` that a worker has, with the password `pass-w1`.
    static func all(worker: String) throws -> [SeededSecret] {
        try named + tokens + fields + jenkins() + buildbot + [
            .init("the password of a worker", "w1/buildbot.tac", password(67)) {
                worker.replacing("pass-w1", with: $0)
            }
        ]
    }

    /// Writes it, with the directories above it.
    func plant(below directory: FilePath) throws {
        let file = directory.pushing(FilePath(path))
        try Files.makeDirectories(file.removingLastComponent())
        try Files.replace(file, with: contents, mode: 0o600)
    }

    private init(_ kind: String, _ path: String, _ needle: String, _ text: (String) -> String) {
        self.init(kind, path, needle, bytes: Array(text(needle).utf8))
    }

    private init(_ kind: String, _ path: String, _ needle: String, bytes: [UInt8]) {
        self.kind = kind
        self.path = path
        contents = bytes
        self.needle = needle
    }

    // MARK: - Values

    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")

    /// Letters and digits that look random, others for every seed.
    private static func random(_ seed: Int, _ count: Int) -> String {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1
        return String(
            (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return letters[Int(state >> 33) % letters.count]
            })
    }

    /// A password with characters that an address spells otherwise.
    private static func password(_ seed: Int) -> String { "p\(random(seed, 9))+\(random(seed + 1, 4))=" }

    /// A key as text, the needle in the middle of it.
    private static func pem(_ kind: String) -> (String) -> String {
        { needle in
            let line = random(7, 64)
            return "-----BEGIN \(kind)-----\n\(line)\n\(needle)\n\(line)\n-----END \(kind)-----\n"
        }
    }

    // MARK: - Files of their usual names

    private static let named: [SeededSecret] = [
        .init("an RSA key of ssh", "tree/.ssh/id_rsa", random(1, 64), pem("RSA PRIVATE KEY")),
        .init("an Ed25519 key of ssh", "tree/ci/id_ed25519", random(2, 64), pem("OPENSSH PRIVATE KEY")),
        .init("a host key of ssh", "tree/ssh_host_ecdsa_key", random(3, 64), pem("EC PRIVATE KEY")),
        .init("a key of a web server", "tree/tls/site.key", random(4, 64), pem("PRIVATE KEY")),
        .init("a chain with its key", "tree/tls/all.pem", random(5, 64), pem("ENCRYPTED PRIVATE KEY")),
        .init("a PKCS 12 store", "tree/tls/site.p12", random(6, 40)) { "\u{30}\u{2}\u{0}\($0)\u{0}" },
        .init("a Java key store", "tree/java/release.jks", random(8, 40)) { "\u{7f}\u{0}\($0)\u{0}" },
        .init("a secret ring of gpg", "tree/.gnupg/secring.gpg", random(9, 40)) { "\u{1}\u{0}\($0)" },
        .init("credentials of AWS", "tree/.aws/credentials", random(10, 40)) {
            "[default]\naws_secret_access_key = \($0)\n"
        },
        .init("a netrc", "tree/.netrc", password(11)) { "machine git.example.org login ci password \($0)\n" },
        .init("a pgpass", "tree/.pgpass", password(12)) { "db:5432:*:ci:\($0)\n" },
        .init("an htpasswd", "tree/www/.htpasswd", random(13, 22)) { "ci:$apr1$salt$\($0)\n" },
        .init("a kubeconfig", "tree/.kube/config", random(14, 64)) {
            "users:\n- name: ci\n  user: {client-key-data: \($0)}\n"
        },
        .init("a docker config", "tree/.docker/config.json", random(15, 40)) {
            "{\"auths\": {\"registry.example.org\": {\"auth\": \"\($0)\"}}}\n"
        },
        .init("an npmrc", "tree/.npmrc", random(16, 36)) { "//registry.npmjs.org/:_authToken=\($0)\n" },
        .init("a pypirc", "tree/.pypirc", password(17)) { "[pypi]\nusername = ci\npassword = \($0)\n" },
        .init("git's credentials", "tree/.git-credentials", random(18, 20)) {
            "https://ci:\($0)@git.example.org\n"
        },
        .init("an environment file", "tree/app/.env", password(19)) { "DB_URL=postgresql\nDB_PASS=\($0)\n" },
        .init("a state of Terraform", "tree/infra/terraform.tfstate", random(20, 32)) {
            "{\"resources\": [{\"values\": {\"random_string\": \"\($0)\"}}]}\n"
        },
        .init("a vault of KeePass", "tree/vault.kdbx", random(21, 40)) { "\u{3}\u{0}\($0)" },
        .init("a shadow file", "tree/shadow", random(22, 43)) { "ci:$6$salt$\($0):19000:0:::::\n" },
    ]

    // MARK: - Tokens by how they begin, and keys, in files of any name

    private static let tokens: [SeededSecret] = [
        .init("a key pasted into notes", "tree/notes.txt", random(23, 64)) {
            "what we used before:\n\(pem("DSA PRIVATE KEY")($0))"
        },
        .init("a key of gpg as text", "tree/release.asc", random(24, 64)) { needle in
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n\(needle)\n-----END PGP PRIVATE KEY BLOCK-----\n"
        },
        .init("a key of PuTTY", "tree/agent.ppk", "PuTTY-User-" + "Key-File-3:\(random(25, 12))") {
            "\($0)\n"
        },
        .init("a key of age", "tree/old-recovery.txt", "AGE-SECRET-" + "KEY-1\(random(26, 58).uppercased())")
        {
            "# the one before\n\($0)\n"
        },
        .init("a service account of Google", "tree/gcp.json", random(27, 64)) {
            "{\"type\": \"service_account\", \"private_key\": \"\(pem("PRIVATE KEY")($0).replacing("\n", with: "\\n"))\"}\n"
        },
        .init("a token of GitHub", "tree/bot.sh", "gh" + "p_\(random(28, 36))") { "gh auth login \($0)\n" },
        .init("a fine token of GitHub", "tree/bot.py", "git" + "hub_pat_\(random(29, 40))") {
            "client(\"\($0)\")\n"
        },
        .init("a token of GitLab", "tree/mirror.sh", "gl" + "pat-\(random(30, 20))") { "glab \($0)\n" },
        .init("a token of Slack", "tree/notify.rb", "xo" + "xb-123456789012-\(random(31, 24))") {
            "Slack.post '\($0)'\n"
        },
        .init("a key of Stripe", "tree/billing.txt", "sk_" + "live_\(random(32, 24))") { "\($0)\n" },
        .init("a key of Google", "tree/maps.js", "AI" + "za\(random(33, 35))") { "load('\($0)')\n" },
        .init("an OAuth token of Google", "tree/upload.log", "ya" + "29.\(random(34, 40))") { "got \($0)\n" },
        .init("a token of npm", "tree/publish.sh", "np" + "m_\(random(35, 36))") { "npm set \($0)\n" },
        .init("a token of PyPI", "tree/twine.yml", "py" + "pi-AgEI\(random(36, 60))") { "- \($0)\n" },
        .init("a token of Vault", "tree/deploy.hcl", "hv" + "s.\(random(37, 24))") { "vault \($0)\n" },
        .init("a token of DigitalOcean", "tree/droplet.tf", "do" + "p_v1_\(random(38, 64).lowercased())") {
            "provider \($0)\n"
        },
        .init("a key id of AWS", "tree/s3.cfg", "AK" + "IA\(random(39, 16).uppercased())") { "use \($0)\n" },
        .init(
            "a web token", "tree/request.http",
            "ey" + "J\(random(40, 20)).eyJ\(random(41, 20)).\(random(42, 43))"
        ) {
            "Authorization: Bearer \($0)\n"
        },
    ]

    // MARK: - Fields of files of any name

    private static let fields: [SeededSecret] = [
        .init("a field of YAML", "tree/app.yaml", password(43)) { "db:\n  password: \($0)\n" },
        .init("a field of INI", "tree/app.ini", password(44)) { "[smtp]\npasswd = \($0)\n" },
        .init("a field of properties", "tree/app.properties", password(45)) {
            "spring.mail.password=\($0)\n"
        },
        .init("a field of JSON", "tree/app.json", password(46)) {
            "{\"api\": {\"client_secret\": \"\($0)\"}}\n"
        },
        .init("a field of Python", "tree/settings.py", password(47)) { "connect(host, password='\($0)')\n" },
        .init("a variable of a shell", "tree/deploy.sh", password(48)) { "export API_TOKEN=\($0)\n" },
        .init("a server of Maven", "tree/maven/settings.xml", password(49)) {
            "<settings><server><id>x</id><password>\($0)</password></server></settings>\n"
        },
        .init("an attribute of XML", "tree/tomcat-users.xml", password(50)) {
            "<user username=\"ci\" password=\"\($0)\"/>\n"
        },
        .init("an address", "tree/remotes.txt", random(51, 14)) {
            "https://ci:\($0)@git.example.org/x.git\n"
        },
        .init("an address of a database", "tree/alembic.cfg", random(52, 14)) {
            "postgresql://ci:\($0)@db/ci\n"
        },
        .init("a registry in another file", "tree/auth.json", random(53, 40)) {
            "{\"registry.example.org\": {\"auth\": \"\($0)\"}}\n"
        },
        .init("a user of a cluster in another file", "tree/prod.yaml", random(54, 64)) {
            "users:\n- name: ci\n  user:\n    token: \($0)\n"
        },
        .init("a random value under a name of keys", "tree/signing.conf", random(55, 40)) {
            "hmac-key: \($0)\n"
        },
    ]

    // MARK: - Jenkins

    private static func jenkins() throws -> [SeededSecret] {
        let header = "<?xml version='1.1' encoding='UTF-8'?>\n"
        let credential = password(56)
        let encrypted = try JenkinsHomeBuilder.encrypted(credential)
        return [
            .init(
                "the credentials of Jenkins", "jenkins/credentials.xml", credential,
                bytes: Array(
                    "\(header)<list><c.UsernamePassword><password>\(encrypted)</password></c.UsernamePassword></list>\n"
                        .utf8)),
            .init("a key of a plugin of Jenkins", "jenkins/secrets/org.acme.Plugin.KEY", random(57, 40)) {
                $0
            },
            .init("the identity of Jenkins", "jenkins/identity.key.enc", random(58, 40)) {
                "\u{1}\u{0}\($0)"
            },
            .init("the old key of Jenkins", "jenkins/secret.key", random(59, 64)) { $0 },
            .init("a token of a job", "jenkins/jobs/target/config.xml", random(60, 16)) {
                "\(header)<project><authToken>\($0)</authToken></project>\n"
            },
            .init("a password in a broken job", "jenkins/jobs/broken/config.xml", password(61)) {
                "<project><password>\($0)</password><unclosed>\n"
            },
            .init("a script at the start of Jenkins", "jenkins/init.groovy.d/users.groovy", password(62)) {
                "realm.createAccount('admin', password: '\($0)')\n"
            },
            .init("configuration as code", "jenkins/jenkins.yaml", password(63)) {
                "jenkins:\n  securityRealm:\n    local:\n      users:\n      - id: ci\n        password: \"\($0)\"\n"
            },
        ]
    }

    // MARK: - Buildbot

    private static let buildbot: [SeededSecret] = [
        .init("a secret of Buildbot", "master/secrets/registry", password(64)) { $0 },
        .init("users of Buildbot", "master/passwords.py", password(65)) { "users = {'ci': '\($0)'}\n" },
        .init("a password in its configuration", "master/mail.py", password(66)) {
            "reporter = MailNotifier(smtpUser='ci', smtpPassword='\($0)')\n"
        },
    ]
}
