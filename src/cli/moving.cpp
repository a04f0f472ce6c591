// `dyad-memory backup`, `restore` and `migrate`: memories as files in the layout of MongoDB's own
// tools, and from one store into the other.
#include "cli/backends.hpp"
#include "cli/command.hpp"
#include "cli/doctor.hpp"
#include "cli/on_demand.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "store/dump/backup.hpp"
#include "store/dump/restore.hpp"
#include "store/mongo/schema.hpp"
#include "store/sqlite/folder.hpp"

#include <filesystem>
#include <iostream>

#include <unistd.h>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;

struct MovingOptions {
    std::string folder;  // of the backup
    bool drop = false;
    bool yes = false;
    std::string to;  // of migrate: the other store
};

dump::Progress percent(const char* what) {
    return [what](std::size_t done, std::size_t of) { show_percent(what, done, of); };
}

Exit failed(const CommonOptions& common, const Error& error) {
    return report(common,
                  {.code = std::string(error_row(error.code).name), .message = error.detail});
}

// Gives `work` a connection that waits as the server does.
Status with_database(const Resolved& settings, const std::function<Status(mongo::Client&)>& work) {
    return mongo::Database::with_client(mongo_options(settings), [&](mongo::Client& plain) {
        SystemClock clock;
        const Result<mongo::Deployment> found = mongo::greet(plain, clock);
        if (!found) return Status(found.error());
        mongo::Client client(plain.driver(), plain.database(), found->replica_set);
        return work(client);
    });
}

// ---- backup ---------------------------------------------------------------------------------

// The running server puts a copy into its folder, which is read there and taken away.
Status copy_by_server(RestClient client, const std::string& folder) {
    const auto refuse = [&](const std::string& why) {
        return fail(Errc::unavailable, "the server that uses " + folder + " made no copy: " + why);
    };
    std::string last;
    ClientRequest request;
    request.method = "POST";
    request.target = "copy";
    request.stream_type = "application/x-ndjson";
    request.on_body = [&](std::string_view bytes) {
        last.append(bytes);
        const std::size_t end = last.find_last_of('\n');
        const std::size_t begin = end == 0 || end == std::string::npos
                                      ? std::string::npos
                                      : last.find_last_of('\n', end - 1);
        if (begin != std::string::npos) last.erase(0, begin + 1);
        return true;
    };
    const Answer answer = client.stream(std::move(request));
    if (!answer) return refuse(answer.failure->message);
    if (last.find("\"finished\":true") == std::string::npos) return refuse("see its log");
    if (!fs::exists(folder + "/" + sqlite::kCopyFolder + "/" + sqlite::kDatabaseName))
        return refuse("another server answers at " + client.url().text() +
                      "; name the right one with --url");
    return Done{};
}

Result<dump::BackupReport> backup_folder(const CommonOptions& common, const Resolved& settings,
                                         const std::string& to) {
    SystemRandom random;
    const std::string folder = settings.data_dir();
    std::error_code error;
    if (!fs::exists(folder + "/" + sqlite::kDatabaseName, error))
        return fail(Errc::not_found, folder + ": has no memory; name its folder with --data-dir");
    const auto lock = sqlite::FolderLock::take_to_read(folder);
    const bool served = !lock && lock.error().code == Errc::storage_locked;
    if (!lock && !served) return lock.error();
    const std::string copy = folder + "/" + sqlite::kCopyFolder;
    if (served) TRY(copy_by_server(RestClient(settings, common), folder));
    const auto write = [&]() -> Result<dump::BackupReport> {
        ASSIGN_OR_RETURN(const auto from, served ? sqlite::MemoryReader::open_copy(copy)
                                                 : sqlite::MemoryReader::open(folder, random));
        return dump::backup_memory(*from, to, settings.text("MONGODB_DATABASE"), random,
                                   percent("backup "));
    };
    Result<dump::BackupReport> report = write();
    if (served) fs::remove_all(copy, error);
    return report;
}

Result<dump::BackupReport> backup_mongodb(const Resolved& settings, const std::string& to) {
    dump::BackupReport report;
    TRY(with_database(settings, [&](mongo::Client& client) -> Status {
        ASSIGN_OR_RETURN(report, dump::backup_database(client, to, percent("backup ")));
        return Done{};
    }));
    return report;
}

// Nothing where something is wrong with them, and was said. All users are meant: none need be
// named.
std::optional<Resolved> usable_settings(const CommonOptions& common) {
    Resolved settings = resolve(read_inputs(common.flags, common.env_file));
    for (const Problem& problem : settings.problems)
        if (problem.fatal && problem.name != "DISTRIBUTED_USER_ID") {
            static_cast<void>(refuse_usage(common, problem.text));
            return std::nullopt;
        }
    return settings;
}

Exit run_backup(const CommonOptions& common, const MovingOptions& options) {
    const auto settings = usable_settings(common);
    if (!settings) return Exit::usage;
    if (const Status loaded = load_mongoc(); !loaded) return failed(common, loaded.error());
    const auto report = settings->follows_master("ENABLE_MONGODB")
                            ? backup_mongodb(*settings, options.folder)
                            : backup_folder(common, *settings, options.folder);
    if (!report) return failed(common, report.error());
    if (common.json)
        print_json({{"folder", options.folder},
                    {"users", report->users},
                    {"events", report->events},
                    {"documents", report->documents}});
    else
        print_line(counted(report->events, "event") + " of " + counted(report->users, "user") +
                   " verified and saved into " + printable(options.folder) + " (" +
                   counted(report->documents, "document") + ")");
    return Exit::ok;
}

// ---- restore --------------------------------------------------------------------------------

Status check_new(const std::string& folder) {
    for (const Finding& finding : check_store(folder, nullptr))
        if (finding.verdict != Verdict::ok)
            return fail(Errc::internal, "the new folder is not whole: " + finding.text +
                                            "; report this, and keep the backup");
    return Done{};
}

Result<dump::RestoreReport> restore_folder(const dump::Dump& from, const std::string& folder,
                                           bool replace, const dump::RestoreOptions& options) {
    std::unique_ptr<sqlite::FolderLock> old;
    std::error_code error;
    if (fs::exists(folder, error)) {
        ASSIGN_OR_RETURN(old, sqlite::FolderLock::take_to_read(folder));
    }
    ASSIGN_OR_RETURN(dump::NewFolder made, dump::NewFolder::begin(folder, replace));
    dump::RestoreReport report;
    {
        SystemRandom random;
        ASSIGN_OR_RETURN(const auto lock, sqlite::FolderLock::take(made.part()));
        ASSIGN_OR_RETURN(report, dump::restore_to_folder(from, made.part(), options, random));
    }
    TRY(check_new(made.part()));
    TRY(made.finish());
    return report;
}

Result<dump::RestoreReport> restore_mongodb(const dump::Dump& from, const Resolved& settings,
                                            bool replace, const dump::RestoreOptions& options) {
    dump::RestoreReport report;
    TRY(with_database(settings, [&](mongo::Client& client) -> Status {
        SystemRandom random;
        if (replace) TRY(dump::drop_all(client));
        ASSIGN_OR_RETURN(const dump::Target target, dump::look_at_target(client));
        const bool taken =
            target == dump::Target::logs || (target == dump::Target::others && !options.same_log);
        if (taken)
            return fail(Errc::invalid_field,
                        "the database " + client.database() +
                            " is not empty; choose another one with MONGODB_DATABASE" +
                            (options.same_log ? "" : ", or replace all that is in it: --drop"));
        ASSIGN_OR_RETURN(report, dump::restore_to_database(from, client, options, random));
        return Done{};
    }));
    return report;
}

// A server that can be asked and has MongoDB as its store: nobody may write while all is moved.
Status refuse_served(RestClient client) {
    const Answer status = client.get("status");
    if (!status || text_at(status.value, "storage/kind") != "mongodb") return Done{};
    return fail(Errc::storage_locked, "the server at " + client.url().text() +
                                          " uses MongoDB; stop it, and every other one of the "
                                          "same database, first");
}

bool confirmed(const MovingOptions& options, const std::string& where) {
    if (options.yes) return true;
    if (isatty(STDIN_FILENO) != 1) return false;
    complain("Everything that is stored in " + printable(where) +
             " will be removed. Type drop to go on:");
    std::string word;
    return std::getline(std::cin, word) && word == "drop";
}

Exit show(const CommonOptions& common, const dump::RestoreReport& report, const std::string& to) {
    if (common.json) {
        print_json({{"to", to},
                    {"users", report.users},
                    {"events", report.events},
                    {"adopted", report.adopted},
                    {"documents", report.documents},
                    {"left", report.left},
                    {"beyond", report.beyond}});
        return Exit::ok;
    }
    print_line(counted(report.events, "event") + " of " + counted(report.users, "user") +
               " verified and written into " + printable(to));
    if (report.documents != 0)
        print_line(counted(report.documents, "document") +
                   " of existing instances: the server takes them into the log when it runs");
    if (report.adopted != 0)
        print_line(counted(report.adopted, "event") + " made of documents that no event has");
    if (report.left != 0)
        print_line(counted(report.left, "document") +
                   " left out: the target has them already, or knows nothing of the kind; they "
                   "stay where they were");
    if (report.beyond != 0)
        print_line(counted(report.beyond, "event") +
                   " left out behind a hole: the backup was made while they were written");
    return Exit::ok;
}

Exit run_restore(const CommonOptions& common, const MovingOptions& options) {
    const auto settings = usable_settings(common);
    if (!settings) return Exit::usage;
    const bool mongodb = settings->follows_master("ENABLE_MONGODB");
    const std::string to = describe_store(*settings);
    if (options.drop && !confirmed(options, to))
        return refuse_usage(common, "--drop removes everything that is stored in " + to +
                                        "; say --yes, too, if that is meant");
    const auto work = [&]() -> Result<dump::RestoreReport> {
        TRY(load_mongoc());
        if (mongodb) TRY(refuse_served(RestClient(*settings, common)));
        ASSIGN_OR_RETURN(const auto from, dump::Dump::open(options.folder, percent("reading ")));
        const dump::RestoreOptions how{.progress = percent("restore ")};
        return mongodb ? restore_mongodb(*from, *settings, options.drop, how)
                       : restore_folder(*from, settings->data_dir(), options.drop, how);
    };
    const auto report = work();
    return report ? show(common, *report, to) : failed(common, report.error());
}

// ---- migrate --------------------------------------------------------------------------------

// All of it stands in a folder beside the embedded store's in between, so that whatever is broken
// off begins anew: the source is only read, and the target is no store before it is whole.
Result<dump::RestoreReport> migrate(const CommonOptions& common, const Resolved& settings,
                                    bool to_mongodb) {
    TRY(load_mongoc());
    TRY(refuse_served(RestClient(settings, common)));
    const std::string folder = settings.data_dir();
    const std::string between = folder + ".moving";
    std::error_code error;
    fs::remove_all(between, error);
    std::unique_ptr<sqlite::FolderLock> lock;
    if (to_mongodb) {
        ASSIGN_OR_RETURN(lock, sqlite::FolderLock::take_to_read(folder));
        SystemRandom random;
        ASSIGN_OR_RETURN(const auto from, sqlite::MemoryReader::open(folder, random));
        TRY(dump::backup_memory(*from, between, settings.text("MONGODB_DATABASE"), random,
                                percent("reading ")));
    } else {
        TRY(backup_mongodb(settings, between));
    }
    ASSIGN_OR_RETURN(const auto from, dump::Dump::open(between, percent("reading ")));
    const dump::RestoreOptions how{.same_log = true, .progress = percent("writing ")};
    Result<dump::RestoreReport> report = to_mongodb ? restore_mongodb(*from, settings, false, how)
                                                    : restore_folder(*from, folder, false, how);
    fs::remove_all(between, error);
    return report;
}

Exit run_migrate(const CommonOptions& common, const MovingOptions& options) {
    const auto settings = usable_settings(common);
    if (!settings) return Exit::usage;
    const bool to_mongodb = options.to == "mongodb";
    const auto report = migrate(common, *settings, to_mongodb);
    if (!report) return failed(common, report.error());
    return show(common, *report,
                to_mongodb ? "MongoDB, database " + settings->text("MONGODB_DATABASE")
                           : settings->data_dir());
}

}  // namespace

void add_moving(Command& root) {
    const auto backup = std::make_shared<MovingOptions>();
    root.add("backup", "Save all that is stored into a new folder, while the server runs",
             run_backup, backup)
        .path("FOLDER", backup->folder, "The new folder")
        .setting("DYAD_DATA_DIR", "", "The embedded store's folder")
        .footer(
            "Of MongoDB where the settings name it, else of the embedded store. Its files are as\n"
            "mongodump writes them: mongorestore and dyad-memory restore read them.\n");
    const auto restore = std::make_shared<MovingOptions>();
    root.add("restore", "Put a backup into an empty store", run_restore, restore)
        .path("FOLDER", restore->folder, "The backup, of dyad-memory backup or mongodump")
        .setting("DYAD_DATA_DIR", "", "The embedded store's folder")
        .flag("--drop", restore->drop, "Remove what is stored there")
        .flag("--yes", restore->yes, "Do not ask")
        .footer(
            "Into MongoDB where the settings name it, else into the embedded store's folder. No\n"
            "server may use it meanwhile. Every client reads everything anew afterwards.\n");
    const auto migrate = std::make_shared<MovingOptions>();
    root.add("migrate", "Move all memories from the embedded store to MongoDB, or back",
             run_migrate, migrate)
        .word("--to", migrate->to, {"mongodb", "sqlite"}, "Where to", "STORE")
        .required()
        .setting("DYAD_DATA_DIR", "", "The embedded store's folder")
        .footer(
            "Stop every server of either store first. The source stays as it is. If it is broken\n"
            "off, run it again. Clients go on where they were.\n");
}

}  // namespace dyad::cli
