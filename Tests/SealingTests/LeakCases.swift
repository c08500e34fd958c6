/// Texts as they stand in delivery systems: with a secret, and like one.
enum LeakCases {
    private static let long = String(repeating: "kJ8s0dfKq2mN5vB7xZ1cR4tY", count: 150)

    // MARK: - Secrets

    static let secrets = scripts + commands + elements + yaml + python + directives

    private static let scripts = [
        "<script>DB_PASSWORD = &apos;hunter22Real2&apos;\n", "def password = &quot;hunter22&quot;&#xd;",
        "x({&quot;password&quot;: &quot;hunter22&quot;})",
        "sh(&#39;x&#39;, password: &#34;hunter22&#34;)",
        "\"body\": \"{\\\"password\\\": \\\"hunter22\\\"}\"",
        "\"{\\\\\\\"token\\\\\\\": \\\\\\\"hunter22\\\\\\\"}\"",
        "password =&gt; &apos;hunter22&apos;",
        "string(name: &apos;X_TOKEN&apos;, defaultValue: &apos;hunter22&apos;)",
        "token: '\(long)'", "TOKEN=\(long)", "https://oauth2:\(long.prefix(900))@git.example.org/",
        "\"client-key-data\": \"\(long.prefix(2_000))\"", "client-key-data: \(long)\(long.prefix(724))==",
        "\"client-key-data\": \"\(long)\(long.prefix(724))\"",
    ]

    private static let commands = [
        "<command>export DB_PASSWORD=hunter22Real1\nmvn deploy</command>",
        "<command>PGPASSWORD=correct psql</command>", "<command>DB_PASSWORD=correct</command>",
        "export A_PASSWORD=correct B=1", "set DB_PASSWORD=hunter22",
        "docker run -e DB_PASSWORD=hunter22 app",
        "sh 'DB_PASSWORD=correct mvn'", "x && DB_PASSWORD=hunter22 mvn; y", "A_TOKEN=hunter22&#xd;",
        "\"run\": \"cd x\\nexport DB_PASSWORD=hunter22\\nmvn\"", "mvn -Ddb.password=hunter22 deploy",
        "mvn -Ddb.password=correct deploy", "psql --password=hunter22</command>",
        "svn --password hunter22 up",
        "svn --password 'hunter22'", "command=['svn', '--password', 'hunter22']",
        "curl -u ci:hunter22 https://x", "curl --user \"ci:correct\" https://x",
        "curl -s \\\n  -u 'ci:hunter22' x",
        "curl -H 'Authorization: Bearer 0123abcd4567' x",
        "{\"Authorization\": \"Basic Y2k6aHVudGVyMjI=\"}",
        "Authorization: token 0123abcd4567", "//registry.npmjs.org/:_authToken=0123-abcd-4567",
        "'AccountName=x;AccountKey=kJ8s0dfKq2mN5vB7xZ1cR4tY==;EndpointSuffix=y'",
        "\"Server=db;User Id=ci;Password=hunter22;Encrypt=true\"",
        "dsn = host=db password=hunter22 user=ci", "\"Password=hunter22;User Id=ci;Server=db\"",
        "conn: Pwd=correct;Server=db;Encrypt=true", "amqp://ci:hun/ter22@mq", "postgresql://ci:a/b1c2@db/ci",
        "mysql -u root -phunter22 ci", "mysqldump -pcorrect db", "/usr/bin/mysql -p'hunter22' x",
        "['mysqldump', '-phunter22']", "mariadb-dump -p123456 x",
        "password: /9fkQ2mZ7/x", "password: /etc/9f+Q2mZ7", "sshpass -p correct ssh x",
        "sshpass -phunter22 ssh x", "docker login -u ci -p hunter22 r",
        "azure.sas.token=\(signature)", "sasToken: \(signature)",
        "<command>docker login \\\n  -p &quot;hunter22&quot; r</command>",
    ]

    private static let signature =
        "sv=2022-11-02&ss=bf&srt=sco&sp=rl&se=2026-12-01T00:00:00Z&st=2026-11-01T00:00:00Z&spr=https&sig=k1J8"

    private static let elements = [
        "<password class=\"string\">hunter22</password>",
        "<secretText plugin=\"x@1\">hunter22</secretText>",
        "<password><![CDATA[hunter22]]></password>", "<password>\n  hunter22\n</password>",
        "<password>\n  <![CDATA[\nhunter22]]>\n</password>",
        "<password><value>hunter22</value></password>",
        "<password value=\"hunter22\"/>",
        "<name>DB_PASSWORD</name>\n  <defaultValue>correct</defaultValue>",
        "<name>DB_PASSWORD</name><description>For the base</description><trim/><value>correct</value>",
        "<string>DB_PASSWORD</string>\n<string>hunter</string>",
        "<key>token</key><string>hunter22</string>",
        "<param name=\"db.password\" value=\"hunter22\"/>", "<entry key=\"password\">hunter22</entry>",
        "{\"name\": \"DB_PASSWORD\", \"value\": \"hunter22\"}",
        "\"name\":\"DB_PASSWORD\",\n\"value\":\"hunter22\"",
    ]

    private static let yaml = [
        "x: {password: hunter22, user: y}", "- {id: x, password: correct}",
        "{user: y, password: hunter22}",
        "password: >-\n  correct", "password: |\n  hunter22", "- token: |-\n    correct",
        "password:\n  hunter22",
        "password:\n  \"hunter22\"", "\"password\": |2\n   correct",
        "- name: DB_PASSWORD\n  value: correct",
        "- name: DB_PASSWORD\n  value: \"hunter22\"", "- key: X_TOKEN\n  default: hunter22",
    ]

    private static let python = [
        "c['workers'] = [worker.Worker(\"example\", \"pass-w1\")]",
        "Worker(name, 'hunter22', max_builds=1)",
        "worker.Worker(\n    'n',\n    'hunter22',\n)", "EC2LatentWorker('n', 'hunter22', 'm1.large')",
        "UserPasswordAuth({\"alice\": \"hunter22\"})", "util.UserPasswordAuth([('bob','hunter22')])",
        "UserPasswordAuth([('ann', util.Secret('a')), (b'bob', b'hunter22')])",
        "GitHubAuth('id', 'hunter22')",
        "GoogleAuth(\"id\", \"hunter22\", autologin=True)", "GitLabAuth('https://x', 'id', 'hunter22')",
        "Try_Userpass(builderNames=['a', 'b'], userpass=[('u','hunter22')])",
        "PasswordManhole('tcp:1:interface=x', 'ci', 'hunter22', ssh_hostkey_dir='x')",
        "UsernamePassword('u','hunter22')", "f(workerpass='hunter22')", "secret: str = 'hunter22'",
        "secret: Optional[str] = 'hunter22'", "password = f'hunter22'", "password = '''hunter22'''",
        "password = \"\"\"\nhunter22\n\"\"\"", "os.environ.get('X_PASSWORD', 'hunter22')",
        "requests.get(x, auth=('u', 'hunter22'))", "let password: String = \"hunter22\"",
    ]

    private static let directives = [
        "proxy_set_header Authorization \"Basic Y2k6aHVudGVyMjI=\";",
        "    proxy_set_header  Authorization  'Bearer 0123abcd4567';",
        "RequestHeader set Authorization \"Bearer 0123abcd4567\"",
        "RequestHeader set \"Authorization\" \"Basic Y2k6aHVudGVyMjI=\"",
        "mysql -u root -p'my secret 1'", "mysqldump -p\"correct horse\" db",
        "<string>password</string>\n  <string>hunter22</string>", ":password: hunter22",
        "  :password: hunter22\n  :user: ci", "PASSWORD ?= hunter22", "export DB_PASSWORD ?= correct",
        "ENV DB_PASSWORD correct", "ENV DB_PASSWORD \"correct horse\"", "env db_password hunter22",
        "SetEnv NAME_PASSWORD correct", "  SetEnv NAME_TOKEN hunter22", "setenv X_TOKEN correct",
        "fastcgi_param DB_PASSWORD correct;", "\tfastcgi_param\tDB_PASSWORD\thunter22;",
        "uwsgi_param X_SECRET 'hunter22';", "requirepass correct", "masterauth \"hunter22\"",
        "bindpw correct", "bindpw\thunter22", "define('DB_PASSWORD', 'hunter22');",
        "define( 'DB_PASSWORD', 'correct' );", "define(\"DB_PASSWORD\",\"hunter22\");",
        "url: https://hooks.slack.com/ser" + "vices/T0123ABCD/B0123ABCD/0123abcdefghijABCDEFGHIJ",
        "key: sk-a" + "nt-api03-0123456789abcdef-ABCDEF",
        "aws configure set aws_secret_access_key wJalrXUtnFEMI/K7",
        "aws configure set profile.ci.aws_secret_access_key 'wJalrXUtnFEMI/K7' --profile x",
        "{\"password\":\n  \"correct\",\n  \"user\": \"ci\"}",
        "\"user\": \"ci\", \"password\" :\r\n\"hunter22\"\n}",
        "machine git.example.org login ci password hunter22",
        "echo 'machine h login ci password correct' > x", "machine h\n  login ci\n\tpassword correct\n",
        "printf \"machine h\\nlogin ci\\npassword hunter22\\n\"", "default login ci password correct",
        "echo &quot;machine h login ci password hunter22&quot;",
        "machine git.example.org password hunter22 login ci", "\"auth\": \"Y2k6aHVudGVyMjI=\"",
        "{\"auths\": {\"r\": {\"auth\":\"Y2k6aHVudGVyMjI=\"}}}", "_auth = Y2k6aHVudGVyMjI=",
        "\\\"auth\\\": \\\"Y2k6YzByciFjdA==\\\"",
    ]

    // MARK: - Harmless

    static let harmless =
        harmlessScripts + harmlessCommands + harmlessElements + harmlessYAML + harmlessPython
        + harmlessDirectives

    private static let harmlessDirectives = [
        "proxy_set_header Authorization $http_authorization;", "proxy_set_header Authorization \"\";",
        "proxy_set_header Authorization \"Basic $auth\";", "proxy_pass_header Authorization;",
        "RequestHeader unset Authorization", "RequestHeader set Authorization \"Bearer %{TOKEN}e\"",
        "The Authorization \"Bearer\" scheme of 2012", "mysql -p'$X y'", "mysql -p\" + pw + \" x",
        "echo \"mysql -p\"; echo \"a b\"", "<string>password</string>\n<string>token</string>",
        "<string>deploy-token</string>\n<string>3f2504e0-4f89-41d3-9a0c-0305e82c3301</string>",
        ":password: the password of 1 user", ":param password: what it is", ":password: optional",
        "PASSWORD ?=", "PASSWORD ?= $(X)", "PASSWORD ?= $(shell cat x)", "PASSWORD ?= ${X}",
        "password?: string", "ENV PASSWORD_FILE /run/x", "ENV DB_PASSWORD_FILE /run/secrets/db",
        "ENV DB_PASSWORD", "ENV DB_PASSWORD ${X}", "ENV DB_PASSWORD $X", "ENV DB_PASSWORD \"\"",
        "ENV DB_PASSWORD /run/secrets/db", "the ENV DB_PASSWORD instruction", "env token handling",
        "ENV PASSWORD is what the image takes", "SetEnv NAME_PASSWORD ${X}", "UnsetEnv NAME_PASSWORD",
        "PassEnv NAME_PASSWORD", "SetEnv NAME_PASSWORD \"\"", "fastcgi_param DB_PASSWORD $db_password;",
        "fastcgi_param DB_PASSWORD \"\";", "# requirepass foobared", "requirepass <password>",
        "requirepass \"\"", "requirepass is what Redis asks for", "bindpw is what it binds with",
        "bindpw ${X}", "# bindpw secret", "bindpwfile /etc/ldap.secret", "define('DB_PASSWORD', '');",
        "define('DB_PASSWORD', getenv('X'));", "define('DB_PASSWORD', $x);",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "https://hooks.slack.com/services/${X}", "https://hooks.slack.com/services/T.../B.../...",
        "sk-ant-", "disk-ant-0123456789abcdefghijkl", "aws configure set region eu-west-1",
        "aws configure set aws_secret_access_key $X", "aws configure set aws_secret_access_key \"$X\"",
        "aws configure set aws_secret_access_key VALUE",
        "\"password\":\n  \"\",", "\"password\":\n  \"${X}\"\n}",
        "machine h login ci password $X", "machine h login ci password ${X}",
        "machine h login ci password <x1>",
        "printf 'machine %s login %s password %s\\n'", "'machine h login ci password ' + pw",
        "'machine h login ci password '+pw+'\\n'", "machine HOST login USER password PASSWORD",
        "the machine room password is known1", "login ci password hunter22",
        "the default login and password matter",
        "machine h login ci account x", "\"auth\": \"password1\"", "\"auth\": \"basic\"",
        "auth: required", "\"auth\": \"c29tZXRoaW5n\"",
        "\"password\":\n  {\"type\": \"string\"}", "\"password\":\n  null,",
    ]

    private static let harmlessScripts = [
        "DB_PASSWORD = &apos;${X}&apos;", "def password = &quot;$X&quot;", "password = &quot;&quot;",
        "{&quot;password&quot;: &quot;&quot;}", "password = &apos;********&apos;",
        "password = &apos;&lt;changeit&gt;&apos;",
        "DB_PASSWORD=&lt;changeit&gt;", "DB_PASSWORD = credentials(&apos;db-password&apos;)",
        "string(credentialsId: &apos;deploy-token&apos;, variable: &apos;TOKEN&apos;)",
        "usernamePassword(credentialsId: 'x', usernameVariable: 'U', passwordVariable: 'P')",
        "{\\\"password\\\": \\\"\\\"}", "password = \"#{secret}\"",
        "{&quot;password&quot;: &quot;{{ x }}&quot;}",
    ]

    private static let harmlessCommands = [
        "<command>export DB_PASSWORD=$X\nmvn</command>", "<command>DB_PASSWORD=${X} mvn</command>",
        "<command>DB_PASSWORD= mvn</command>", "<command>PGPASSWORD=\"$X\" psql</command>",
        "PASSWORD=SECRET make",
        "mvn -Ddb.password=${X}", "mvn -Ddb.password=$X deploy", "--password=PASSWORD",
        "--token=<token>",
        "clippy --pass=early x", "the --password option is gone", "--password $X",
        "--password=********",
        "add_argument('--password', '-p')",
        "add_argument('--token', 'what to show')", "docker run -u 1000:1000 x", "chown -u ci:staff x",
        "curl -u $USER:$PASS x", "curl -u ci:${TOKEN} x", "curl -u username:password x",
        "curl -u USER:PASS x",
        "Authorization: Bearer ${TOKEN}", "\"Authorization\": \"Bearer \" + token",
        "Authorization: Bearer YOUR_TOKEN",
        "Authorization: Basic authentication", "'Authorization: Bearer <token>'",
        "Authorization: Bearer {token}",
        "//registry.npmjs.org/:_authToken=${NPM_TOKEN}", "x=a;token=parser.next;y",
        "x = a;token=value1;",
        "\"Server=db;Password=${X};\"", "connect(user=ci, password=arg1)", "<p>password: required</p>",
        "DB_PASSWORD=$(cat x)", "-Dpassword=$(cat x)", "DB_PASSWORD=`cat x`",
        "use - password: to say so", "\"Password=${X};Server=db\"", "password=value;server=x;",
        "password = a1; server = y", "\"Password=PASSWORD;Server=db\"", "https://github.com:team1/repo@v2",
        "http://host:8080/x1@y", "docker://alpine:v3/x@sha256:0a1b", "mongodb://h1:27017,h2:27017/a1@b",
        "http://{host}:{port}/x1@y", "file://c:/x1@y", "mysql -p db1", "mysql -uroot -p$X db",
        "mysql -p\"$X\"",
        "mysql -p${X}", "mysql -pPASSWORD", "mysql -ppassword", "docker run --name mysql -p3306:3306 x",
        "docker run --name mysql -p $PORT:3306 x", "gcc $(mysql_config --libs) -pthread",
        "gcc -lmysqlclient -pthread", "mkdir -p some/dir1; cp -p a1b2 c", "\"mysql -p\" + pw + \"x\"",
        "token: /etc/understudy/jenkins.token", "DB_PASSWORD=/run/secrets/db_1", "password: '/srv/ci2/pw'",
        "'mysql -p'.$pw", "docker login -p $X", "docker login -p <token>", "the login with -p option",
        "docker login -u x --password-stdin", "ssh -l login -p 2222 x", "sshpass -p \"$X\" ssh y",
        "sshpass -p ${X} ssh", "add_argument('-p', '--port1')", "mysql -e x; tar -pxzvf a",
        "cd mysql && tar -pxzvf a", "find mysql -print", "find x -name mysql -prune",
        "gcc -I mysql -pthread x",
    ]

    private static let harmlessElements = [
        "<password class=\"string\"></password>",
        "<secretText plugin=\"x@1\">{AQAAABAAAAAQabcd}</secretText>",
        "<password>\n  {AQAAABAAAAAQabcd}\n</password>", "<password>\n</password>",
        "<password><![CDATA[]]></password>",
        "<password><value>${X}</value></password>", "<password class=\"x\"/>",
        "<password>\n  <user>ann</user>\n</password>",
        "give <password> as it is told\nin the <b>manual</b>",
        "<name>DB_PASSWORD</name><defaultValue></defaultValue>",
        "<name>DB_PASSWORD</name><defaultValue>{AQAAABAAAAAQabcd}</defaultValue>",
        "<name>DB_PASSWORD</name></x><x><defaultValue>correct</defaultValue>",
        "<name>DB_PASSWORD</name><choices><value>correct</value></choices>",
        "<string>DB_PASSWORD</string><string>OTHER_NAME</string>",
        "<string>password</string><string>username</string>",
        "<a name=\"token\">Tokens</a>", "<param name=\"password\" value=\"${X}\"/>",
        "{\"name\": \"DB_PASSWORD\", \"value\": \"\"}",
        "<name>X_TOKEN</name><defaultValue>true</defaultValue>",
        "<credentialsId>deploy-token</credentialsId>",
        "<xs:element name=\"password\" type=\"xs:string\"/>",
    ]

    private static let harmlessYAML = [
        "{password: ${X}, user: y}", "{password: string, user: string}", "f({token: token, x})",
        "{password: value}",
        "- {id: x, password: $X}", "password: |\n  ${X}", "password: >-\nuser: x",
        "password:\nuser: hunter22",
        "token:\n  description: x1", "token:\n  The token of 1 user", "token:\n    string",
        "password:\n  - hunter22 x",
        "if not password:\n    return", "- name: DB_PASSWORD\n  valueFrom: x",
        "- name: DB_PASSWORD\n  value: $(X)",
        "- name: DB_PASSWORD\n  value: ${X}", "- name: DB_PASSWORD\n- name: value",
        "password: !vault |\n  abc",
        "- name: DB_PASSWORD\n  value: \"\"",
    ]

    private static let harmlessPython = [
        "worker.LocalWorker('n', 'hunter22')", "Worker('n', util.Secret('n'))", "Worker('n', None)",
        "Worker('n', pw)",
        "new SharedWorker('x.js', 'name')", "Worker('n', passwords['n'])",
        "UserPasswordAuth({'a': util.Secret('a')})",
        "UserPasswordAuth(users)", "UserPasswordAuth({'a': os.environ['A']})",
        "GitHubAuth('id', util.Secret('a'))",
        "GitHubAuth('id', os.environ['X'])", "util.Secret('hunter22')",
        "password=Interpolate('%(secret:x)s')",
        "password = f'{x}'", "password = f'a{x}'", "secret: str = ''", "secret: str = None",
        "secret: str",
        "password = ''", "password = '''\n'''", "os.environ.get('X_PASSWORD')",
        "os.environ.get('X_PASSWORD', '')",
        "password = os.environ['X_PASSWORD']", "password = os.environ.get('X')", "auth=('u', pw)",
        "auth=(u, p)",
        "password = getpass()", "Try_Userpass(builderNames=['a', 'b'], userpass=users)",
        "isinstance(password, str)",
        "'Auth': ('get_sbs', 'urlencode')", "Try_Userpass = a.b:Try_Userpass",
        "HTPasswdAuth('htpasswd.file')", "requests.get(auth=HTTPBasicAuth(u, p))",
    ]
}
