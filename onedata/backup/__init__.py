"""Back-ups of a data home: content-addressed, incremental, without the vault's key; and the ways back from one.

    TO/onedata-backup.json          what the folder is
    TO/objects/ab/ab12...           the files' contents, each once, named by SHA-256
    TO/backups/000001.json          one back-up: every file, folder and symlink of the home; written last, sealed

docs/adr/0015 says why.
"""
