// `dyad-memory import`: what other memories and notes have, brought into this one. Every context
// has an operation id that is made from what it says: imported twice, it is there once.
#include "base/limits.hpp"
#include "base/sha256.hpp"
#include "cli/command.hpp"
#include "cli/path_expansion.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "import/items.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;
using import::Item;

struct ImportOptions {
    std::vector<std::string> files;
    std::string from = "auto";
    std::string label;
    bool dry_run = false;
    bool replace = false;
};

// What becomes of one context.
enum class Fate : std::uint8_t { created, same, kept, replaced };
constexpr std::string_view kFates[] = {"created", "the same", "kept", "replaced"};
constexpr std::string_view kPlans[] = {"create", "the same", "keep what is there", "replace"};

struct File {
    std::string name;
    import::Format format = import::Format::markdown;
    std::vector<Item> items;
};

Result<std::string> read_file(const std::string& path) {
    std::error_code error;
    if (fs::is_directory(path, error)) return fail(Errc::unavailable, "it is a folder");
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(Errc::unavailable, std::strerror(errno));
    std::string text(static_cast<std::size_t>(limits::import_file_bytes_max) + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return fail(Errc::unavailable, "it cannot be read");
    if (std::cmp_greater(text.size(), limits::import_file_bytes_max))
        return fail(Errc::too_large, "it is larger than import_file_bytes_max = " +
                                         std::to_string(limits::import_file_bytes_max) +
                                         "; divide it");
    return text;
}

// "project/CLAUDE.md": the file under the folder that it is about.
std::string label_of(const std::string& path) {
    std::error_code error;
    const fs::path whole = fs::absolute(path, error).lexically_normal();
    fs::path folder = whole.parent_path();
    while (folder.filename().string().starts_with('.') || folder.filename() == "rules")
        folder = folder.parent_path();
    return folder.filename().empty() ? whole.filename().string()
                                     : (folder.filename() / whole.filename()).string();
}

Result<File> read_one(const std::string& name, const ImportOptions& options) {
    const auto named = [&name](const Error& error) {
        return fail(error.code, name + ": " + error.detail);
    };
    const Result<std::string> path = expand_path(name, system_surroundings());
    if (!path) return named(path.error());
    const Result<std::string> text = read_file(*path);
    if (!text) return named(text.error());
    File file{.name = name};
    const auto format = options.from == "auto" ? import::format_of(name, *text)
                                               : by_name<import::Format>(options.from);
    if (!format)
        return named(fail(Errc::invalid_field, "what it is cannot be told; say --from " +
                                                   any_of_names<import::Format>()));
    file.format = *format;
    Result<std::vector<Item>> items =
        import::read_items(*format, *text, options.label.empty() ? label_of(*path) : options.label);
    if (!items) return named(items.error());
    file.items = *std::move(items);
    return file;
}

// Equal for what says the same over the same version.
std::string operation_of(const Item& item, std::int64_t over_version) {
    const Hash hash = sha256({item.key, "\n", item.data, "\n", std::to_string(over_version)});
    return "import-" + to_hex(std::span(hash).first(16));
}

Answer write_item(RestClient& client, const Item& item, std::int64_t over_version) {
    boost::json::object body{{"data", *json::parse(item.data)},
                             {"contextType", "project"},
                             {"expectedVersion", over_version}};
    body["provenance"] = boost::json::object{{"kind", "import"}, {"trust", "unverified"}};
    if (!item.tags.empty()) body["tags"] = boost::json::array(item.tags.begin(), item.tags.end());
    return client.write("PUT", context_path(item.key), json::canonical(std::move(body)),
                        {{"Idempotency-Key", operation_of(item, over_version)}});
}

// What is to be done with the item, and over which version.
struct Plan {
    Fate fate = Fate::created;
    std::int64_t version = 0;
};
Result<Plan> plan_for(const Answer& stored, const Item& item, bool replace) {
    if (!stored && stored.failure->code == "not_found") return Plan{};
    if (!stored) return fail(Errc::unavailable, stored.failure->message);
    const Plan plan{Fate::kept, integer_at(stored.value, "version")};
    if (json::canonical(at(stored.value, "data")) == item.data)
        return Plan{Fate::same, plan.version};
    return replace ? Plan{Fate::replaced, plan.version} : plan;
}

struct Outcome {
    std::map<Fate, std::size_t> counts;
    std::vector<Row> rows;  // for people
};

// Nothing: the failure was shown.
std::optional<Exit> import_items(RestClient& client, const File& file, const ImportOptions& options,
                                 Outcome& outcome) {
    for (std::size_t i = 0; i < file.items.size(); ++i) {
        const Item& item = file.items[i];
        const auto report = [&](Failure failure) {
            failure.message = file.name + ", line " + std::to_string(item.line) + " (" + item.key +
                              "): " + failure.message;
            return client.report(failure);
        };
        const Answer stored = client.get(context_path(item.key));
        const Result<Plan> plan = plan_for(stored, item, options.replace);
        if (!plan) return report(*stored.failure);
        const bool writes = plan->fate == Fate::created || plan->fate == Fate::replaced;
        Fate fate = plan->fate;
        if (writes && !options.dry_run) {
            const Answer written = write_item(client, item, plan->version);
            // It was imported before, and somebody has taken it away since.
            const bool before = written ? written.header("idempotency-replayed").has_value()
                                        : written.failure->code == "already_applied";
            if (before)
                fate = Fate::same;
            else if (!written)
                return report(*written.failure);
        }
        outcome.counts[fate] += 1;
        if (options.dry_run)
            outcome.rows.push_back({std::string(kPlans[static_cast<std::size_t>(fate)]), item.key,
                                    file.name + ":" + std::to_string(item.line),
                                    byte_size(item.data.size())});
        show_percent("Importing " + file.name, i + 1, file.items.size());
    }
    return std::nullopt;
}

void show_outcome(const RestClient& client, const ImportOptions& options, const Outcome& outcome) {
    const auto count = [&](Fate fate) {
        const auto found = outcome.counts.find(fate);
        return found == outcome.counts.end() ? std::size_t{0} : found->second;
    };
    if (client.json())
        return print_json(boost::json::object{{"created", count(Fate::created)},
                                              {"dryRun", options.dry_run},
                                              {"kept", count(Fate::kept)},
                                              {"replaced", count(Fate::replaced)},
                                              {"same", count(Fate::same)}});
    print(table({"WHAT", "KEY", "FROM", "SIZE"}, outcome.rows));
    std::string line = options.dry_run ? "It would be: " : "";
    for (const auto& [fate, many] : outcome.counts)
        line.append(line.empty() || line.ends_with(": ") ? "" : ", ")
            .append(std::to_string(many))
            .append(" ")
            .append(kFates[static_cast<std::size_t>(fate)]);
    print_line(outcome.counts.empty() ? "There is nothing in it." : line);
    if (count(Fate::kept) > 0)
        print_line("What is there says something else and was kept; --replace takes the file's.");
    if (options.dry_run) print_line("Nothing was written; without --dry-run it is.");
}

Exit run_import(RestClient& client, const ImportOptions& options) {
    std::vector<File> files;
    for (const std::string& name : options.files) {
        Result<File> file = read_one(name, options);
        if (!file)
            return client.report({.code = std::string(error_row(file.error().code).name),
                                  .message = file.error().detail});
        files.push_back(*std::move(file));
    }
    Outcome outcome;
    for (const File& file : files)
        if (const auto failed = import_items(client, file, options, outcome)) return *failed;
    show_outcome(client, options, outcome);
    return Exit::ok;
}

}  // namespace

void add_import(Command& root) {
    const auto o = std::make_shared<ImportOptions>();
    root.add("import", "Bring in what other memories and notes have", run_import, o)
        .texts("FILE", o->files,
               "The reference memory server's JSON lines, an export of OpenMemory, CLAUDE.md, "
               "AGENTS.md, cursor rules",
               "FILE")
        .word("--from", o->from, {"auto", "reference", "openmemory", "markdown"},
              "What the files are [auto]", "FORMAT")
        .text("--as", o->label, "What sections of Markdown are filed under [folder/file]", "NAME")
        .flag("--dry-run", o->dry_run, "Say what would be done, and do nothing")
        .flag("--replace", o->replace, "Also over contexts that say something else")
        .footer(
            "Imported twice, it is there once. What was changed since is kept: docs/import.md.\n");
}

}  // namespace dyad::cli
