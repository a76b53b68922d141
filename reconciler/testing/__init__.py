"""Worlds for tests of other programs: a Redmine in the state of some manifests. Fixtures are in `pytest_plugin`.

    world    `World`: what a test gets, with a client, ids by name, and more manifests
    servers  where worlds are: a sandbox of this process, or a given server; claims and locks between processes

Nothing of it is imported before a test asks for a world.
"""
