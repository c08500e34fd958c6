"""The builders of the master, apart from its configuration as on larger installations."""

from buildbot.plugins import steps, util


def builders(workers, repository, deployments):
    """Every builder; `deployments` is the file that a deployment leaves a line in."""
    application = util.BuildFactory([
        steps.Git(repourl=repository, mode='incremental', branch='main'),
        steps.ShellCommand(name='build', command=['sh', '-c', 'cat *.txt | wc -l']),
        steps.Trigger(name='check', schedulerNames=['triggered'], waitForFinish=False),
    ])
    deploy = util.BuildFactory([
        steps.ShellCommand(
            name='deploy',
            command=['sh', '-c', util.Interpolate(
                'test -n "$TOKEN" && echo "build %(prop:buildnumber)s" >> ' + deployments
                + ' && sleep %(prop:seconds:-0)s')],
            env={'TOKEN': util.Secret('deploy-token')},
        ),
    ])
    probe = util.BuildFactory([steps.ShellCommand(name='probe', command=['echo', 'alive'])])
    watch = util.BuildFactory([steps.ShellCommand(name='watch', command=['uptime'])])
    return [
        util.BuilderConfig(
            name='application', workernames=workers, factory=application, tags=['build'],
            description='compiles and checks every commit'),
        util.BuilderConfig(
            name='deploy', workernames=workers, factory=deploy, tags=['delivery'],
            description='brings it to production'),
        util.BuilderConfig(name='probe', workernames=workers, factory=probe),
        util.BuilderConfig(name='watch', workernames=workers, factory=watch),
    ]
