"""Back-ups of a data home (content-addressed, incremental, without the vault's key), and restoring from them.

    TO/onedata-backup.json          marks the folder as one of back-ups
    TO/objects/ab/ab12...           the files' contents, each once, named by SHA-256
    TO/backups/000001.json          one back-up: every file, folder and symlink of the home; written last, sealed

Reasons: docs/adr/0015.
"""
