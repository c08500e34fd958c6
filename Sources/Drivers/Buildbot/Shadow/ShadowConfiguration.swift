/// The configuration that a shadow's master runs with: production's own, wholly executed, with everything cut from the
/// result that reaches out of it.
///
/// Works with Buildbot 3.11 to 4.3. Sources: docs/buildbot.md, section 5c.
enum ShadowConfiguration {
    /// Its name beside the production configuration.
    static let name = "shadow.cfg"
    /// The variable that names production's own configuration.
    static let productionName = "production_configuration"
    /// The variable that names the SQLite database, below the master.
    static let stateName = "production_state"
    /// The scheduler that probes are asked for through.
    static let scheduler = "understudy-probe"
    /// What was cut, as JSON, in the socket's directory.
    static let report = "report.json"
    /// A line of JSON for each build that ended, in the socket's directory.
    static let builds = "builds.jsonl"
    /// The web interface's socket, in the socket's directory.
    static let socket = "web"

    /// The text; `original` is the production configuration's file name, `state` its SQLite database, `place` the socket's directory inside, `database` the
    /// one of the shadow's own database server, nil when it has none.
    static func text(original: String, state: String, place: String, database: String?) -> String {
        """
        # Made by Understudy for a shadow. Production's configuration is executed as it is; then everything that reaches out
        # of the shadow is taken from its result, and what was taken is written down.
        import hashlib, importlib.metadata, json, os, re, sys, time, types, urllib.parse
        from buildbot.plugins import schedulers, util, worker
        from buildbot.schedulers.forcesched import ForceScheduler
        from buildbot.schedulers.triggerable import Triggerable
        from buildbot.secrets.providers.base import SecretProviderBase
        from buildbot.util.service import BuildbotService
        from twisted.internet import defer
        from twisted.python import log

        _place = \(python(place))
        \(productionName) = \(python(original))
        \(stateName) = \(python(state))
        _original = os.path.join(basedir, \(productionName))
        _names = {'basedir': basedir, '__file__': _original}
        with open(_original, encoding='utf-8') as f:
            exec(compile(f.read(), _original, 'exec'), _names)
        c = BuildmasterConfig = dict(_names['BuildmasterConfig'])


        def _called(thing):
            kind = type(thing).__name__
            name = getattr(thing, 'name', None)
            return kind + (' ' + name if isinstance(name, str) else '')


        _cut = {
            'schedulers': [], 'change sources': [], 'services': [], 'workers': [], 'other': []}
        _kept = []
        _all = []
        for _scheduler in c.get('schedulers', []):
            _all.append(str(getattr(_scheduler, 'name', _scheduler)))
            if type(_scheduler) in (ForceScheduler, Triggerable):
                _kept.append(_scheduler)
            else:
                _cut['schedulers'].append(_called(_scheduler))
        _builders = [b['name'] if isinstance(b, dict) else b.name for b in c.get('builders', [])]
        c['schedulers'] = _kept + [
            ForceScheduler(name='\(scheduler)', builderNames=_builders, codebases=[util.CodebaseParameter('')])]
        _sources = c.pop('change_source', None) or []
        _cut['change sources'] = [_called(s) for s in (_sources if isinstance(_sources, (list, tuple)) else [_sources])]
        _cut['services'] = [_called(s) for s in c.pop('services', None) or []]
        _cut['services'] += [_called(s) for s in c.pop('configurators', None) or []]
        for _key in ('user_managers', 'manhole', 'machines', 'multiMaster'):
            if c.pop(_key, None):
                _cut['other'].append(_key)
        _cut['workers'] = [_called(w) for w in c.get('workers', [])]
        c['workers'] = [worker.LocalWorker(w.name, max_builds=2) for w in c.get('workers', [])]
        c['protocols'] = {'null': {}}
        _www = dict(c.get('www') or {})
        for _key in ('auth', 'authz', 'change_hook_dialects', 'avatar_methods'):
            if _www.pop(_key, None):
                _cut['other'].append('www ' + _key)
        _www['port'] = 'unix:' + _place + '/\(socket):mode=600:lockfile=0'
        c['www'] = _www
        _database = \(database.map(python) ?? "None")
        _server = None
        _url = str((c.get('db') or {}).get('db_url', c.get('db_url', 'sqlite:')))
        if _url.split(':')[0].split('+')[0] != 'sqlite':
            _scheme = _url.split(':')[0]
            _name = urllib.parse.unquote(_url.split('?')[0].rpartition('/')[2])
            _used = _scheme in ('postgresql', 'postgresql+psycopg2', 'postgresql+psycopg') and _name == _database
            _server = {'scheme': _scheme, 'name': _name, 'isUsed': _used}
            c['db'] = {'db_url': 'sqlite:///understudy-shadow.sqlite'}
            if _used:
                c['db'] = {'db_url': '%s://\(PostgreSQLCluster.user)@/%s?host=\(PostgreSQLCluster.socketPlace)' % (
                    _scheme, urllib.parse.quote(_name, safe=''))}
        if 'db' not in c and 'db_url' in c:
            c['db'] = {'db_url': c['db_url']}
        c.pop('db_url', None)
        c['buildbotURL'] = 'http://shadow.invalid/'
        c['buildbotNetUsageData'] = None
        c['collapseRequests'] = False
        c['mq'] = {'type': 'simple'}


        class _Masked(SecretProviderBase):
            name = 'understudy-masked'

            def get(self, entry):
                return 'shadow-masked-' + entry


        c['secretsProviders'] = [_Masked()]


        class _Watch(BuildbotService):
            \"\"\"Writes down when builds begin and end, by a clock that only goes forward.\"\"\"
            name = 'understudy-watch'

            @defer.inlineCallbacks
            def startService(self):
                yield super().startService()
                self._asked = {}
                self._begun = {}
                self._consumers = []
                for key, method in (
                        (('buildrequests', None, 'new'), self._request), (('builds', None, 'new'), self._new),
                        (('builds', None, 'finished'), self._finished)):
                    consumer = yield self.master.mq.startConsuming(method, key)
                    self._consumers.append(consumer)

            @defer.inlineCallbacks
            def stopService(self):
                for consumer in self._consumers:
                    yield consumer.stopConsuming()
                yield super().stopService()

            def _request(self, key, message):
                self._asked.setdefault(message['buildrequestid'], time.monotonic())

            def _new(self, key, message):
                self._begun[message['buildid']] = time.monotonic()

            @defer.inlineCallbacks
            def _finished(self, key, message):
                ended = time.monotonic()
                begun = self._begun.pop(message['buildid'], None)
                asked = self._asked.pop(message['buildrequestid'], None)
                bad = []
                try:
                    steps = yield self.master.data.get(('builds', str(message['buildid']), 'steps'))
                    for step in steps:
                        if step['results'] in (0, 1, 3):
                            continue
                        words = 'step ' + step['name'] + ': ' + step['state_string']
                        logs = yield self.master.data.get(('steps', str(step['stepid']), 'logs'))
                        for entry in logs:
                            if not entry['name'].startswith('err.'):
                                continue
                            chunk = yield self.master.data.get(('logs', str(entry['logid']), 'contents'))
                            lines = [l for l in chunk['content'].splitlines() if l.strip()]
                            if lines:
                                words += ': ' + lines[-1].lstrip('eoh').strip()
                        bad.append(words)
                except Exception:
                    log.err(None, 'understudy-watch')
                line = json.dumps({
                    'request': message['buildrequestid'], 'results': message['results'],
                    'seconds': None if begun is None else ended - begun,
                    'wait': None if begun is None or asked is None else max(0, begun - asked), 'bad': bad})
                with open(os.path.join(_place, '\(builds)'), 'a', encoding='utf-8') as f:
                    f.write(line + '\\n')


        def _plugins():
            \"\"\"The packages that this process finds, and those of whose plugins it runs another copy.\"\"\"
            versions, idle = {}, {}
            for distribution in importlib.metadata.distributions():
                name = re.sub('[-_.]+', '-', distribution.metadata['Name'] or '').lower()
                if not name or name in versions or name in idle:
                    continue
                versions[name] = distribution.version
                own = os.path.realpath(str(distribution.locate_file(''))) + os.sep
                for point in distribution.entry_points:
                    module = point.value.split(':')[0].strip()
                    place = getattr(sys.modules.get(module), '__file__', None)
                    if point.group.startswith('buildbot.') and place and not os.path.realpath(place).startswith(own):
                        idle[name] = 'its module ' + module + ' comes from ' + place
                        versions.pop(name, None)
            return {'versions': versions, 'idle': idle}


        def _made(thing, known):
            \"\"\"A digest of what a value is made of: the same in another process, unless it or its code is another.\"\"\"
            if thing is None or isinstance(thing, (str, bytes, int, float)):
                return repr(thing)
            if id(thing) in known:
                return known[id(thing)][0]
            # What is kept cannot be freed, so that nothing else gets its id; a circle ends where it began.
            known[id(thing)] = ('', thing)
            if isinstance(thing, dict):
                parts = sorted(_made(k, known) + ':' + _made(v, known) for k, v in thing.items())
            elif isinstance(thing, (set, frozenset)):
                parts = sorted(_made(v, known) for v in thing)
            elif isinstance(thing, (list, tuple)):
                parts = [_made(v, known) for v in thing]
            elif isinstance(thing, type):
                place = getattr(sys.modules.get(thing.__module__), '__file__', None)
                parts = [thing.__module__, thing.__qualname__]
                if place:
                    with open(place, 'rb') as f:
                        parts.append(hashlib.sha256(f.read()).hexdigest())
                elif thing.__module__ != 'builtins' or hasattr(thing, '__dict__') and '__module__' in vars(thing):
                    parts += [_made(v, known) for k, v in sorted(vars(thing).items()) if not k.startswith('__')]
            elif isinstance(thing, types.CodeType):
                parts = [thing.co_code.hex(), repr(thing.co_names), _made(thing.co_consts, known)]
            elif isinstance(thing, types.FunctionType):
                parts = [_made(thing.__code__, known), _made(thing.__defaults__, known)]
                parts += [_made(cell.cell_contents, known) for cell in thing.__closure__ or ()]
            else:
                parts = [_made(type(thing), known), _made(getattr(thing, '__dict__', None), known)]
            digest = hashlib.sha256('\\n'.join([type(thing).__name__] + parts).encode()).hexdigest()
            known[id(thing)] = (digest, thing)
            return digest


        def _digests():
            digests = {}
            for builder in c.get('builders', []):
                try:
                    digests[builder['name'] if isinstance(builder, dict) else builder.name] = _made(builder, {})
                except Exception:
                    continue  # Of this one nobody can tell.
            return digests


        c['services'] = [_Watch()]
        with open(os.path.join(_place, '\(report)'), 'w', encoding='utf-8') as f:
            json.dump({
                'server': _server, 'builders': _digests(), 'cut': {k: sorted(v) for k, v in _cut.items()}, 'schedulers': sorted(_all),
                'workers': sorted(w.name for w in c['workers']), 'plugins': _plugins(),
                'views': sorted((_www.get('plugins') or {}).keys())}, f)

        """
    }

    /// The program that makes the master, whatever production's own looks like.
    static func tac(place: String) -> String {
        """
        # Made by Understudy for a shadow.
        import sys
        from twisted.application import service
        from twisted.python.log import FileLogObserver, ILogObserver
        from buildbot.master import BuildMaster

        basedir = \(python(place))
        configfile = '\(name)'
        rotateLength = 10000000
        maxRotatedFiles = 1
        application = service.Application('buildmaster')
        application.setComponent(ILogObserver, FileLogObserver(sys.stdout).emit)
        m = BuildMaster(basedir, configfile, None)
        m.setServiceParent(application)

        """
    }

    /// A text as Python spells it.
    private static func python(_ text: String) -> String {
        var spelled = "'"
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "'": spelled += "\\\(scalar)"
            case "\n": spelled += "\\n"
            case "\r": spelled += "\\r"
            default: spelled.unicodeScalars.append(scalar)
            }
        }
        return spelled + "'"
    }
}
