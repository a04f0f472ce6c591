// What a stranger's reader of mongodump's format makes of a backup: URL DATABASE FOLDER.
import restore from '@cdxoo/mongodb-restore';

const [uri, database, from] = process.argv.slice(2);
await restore.database({ uri, database, from });
