// Whatever happens to the bytes of a store: each answer is the right one or an error, and nothing
// is built upon what is not right.
#include "support/fault_vfs.hpp"
#include "support/one_thread_store.hpp"
#include "support/sample_log.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace dyad::sqlite {
namespace {

using test::SampleLog;
using Files = test::FaultDisk::Files;
using Answers = std::map<std::string, std::string>;  // by question

struct Stopped {};

constexpr std::size_t kPageBytes = 1024;
constexpr const char* kDatabase = "/m.db";

StoreOptions options(const std::string& vfs) {
    return {.database = kDatabase,
            .vfs = vfs,
            .journal_file_bytes = 64 * 1024,
            .apply_bytes = 16 * 1024,
            .page_bytes = kPageBytes,
            .segments = {.events_max = 8, .bytes_max = 4000, .merge_below_bytes = 1000},
            .index = {.tail = 10, .chunk = 8},
            .epoch_seed = test::kSampleSeed,
            .on_fatal = [](const std::string&) { throw Stopped{}; }};
}

template <class T, class Describe>
std::string told(const Result<T>& result, Describe describe) {
    return result ? describe(*result) : "error " + result.error().to_string();
}

std::string describe(const LogSlice& slice) {
    std::string out = slice.head.position().to_string();
    for (const EventBatchPtr& batch : slice.batches)
        for (Offset offset = batch->first; offset <= batch->last(); ++offset)
            out += "\n" + std::to_string(offset) + " " + std::string(batch->text(offset));
    return out;
}

std::string describe(const std::vector<HistoryItem>& items) {
    std::string out;
    for (const HistoryItem& item : items) {
        out += std::to_string(item.offset) + " ";
        write_context(out, *item.context);
    }
    return out;
}

std::string describe(const std::vector<Transition>& transitions) {
    std::string out;
    for (const Transition& transition : transitions) {
        out += std::to_string(transition.offset) + " ";
        write_mode(out, transition.state);
    }
    return out;
}

// Everything that a store can be asked about a user.
void ask(test::OneThreadStore& store, const std::string& user, Answers& answers) {
    const auto loaded = store.load(user);
    answers[user + " state"] = told(loaded, [](const LoadedLog& log) {
        return log.head.position().to_string() + test::describe(log.state, true);
    });
    const Offset first = loaded ? loaded->first_kept : 1;
    for (Offset after = first - 1; loaded && after < loaded->head.offset; after += 20)
        answers[user + " log after " + std::to_string(after)] =
            told(store.read_log(user, after, 3000), [](const auto& it) { return describe(it); });
    answers[user + " log"] =
        told(store.read_log(user, first - 1, 1 << 24), [](const auto& it) { return describe(it); });
    for (int n = 1; n < 40; n += 3)
        answers[user + " operation " + std::to_string(n)] =
            told(store.reads().find(user, {"vscode-1", "op" + std::to_string(n)}),
                 [](const std::optional<Offset>& at) {
                     return at ? std::to_string(*at) : std::string("none");
                 });
    for (int n = 0; n < 6; ++n) {
        const std::string key = "project:" + std::to_string(n);
        answers[user + " history " + key] =
            told(store.reads().history(user, key, {.before = 0, .limit = 100}),
                 [](const auto& it) { return describe(it); });
        answers[user + " version " + key] =
            told(store.reads().version(user, key, 2), [](const ContextPtr& context) {
                std::string out;
                write_context(out, *context);
                return out;
            });
    }
    answers[user + " responses"] =
        told(store.reads().responses(user, {}, {.before = 0, .limit = 1000}),
             [](const auto& it) { return test::describe(it); });
    answers[user + " responses of a chat"] =
        told(store.reads().responses(user, {.chat_id = "chat-1", .message_id = {}, .provider = {}},
                                     {.before = 0, .limit = 1000}),
             [](const auto& it) { return test::describe(it); });
    answers[user + " transitions"] =
        told(store.reads().transitions(user, std::nullopt, {.before = 0, .limit = 1000}),
             [](const auto& it) { return describe(it); });
    answers[user + " search"] = told(store.search(user, "sample", 100), [](const auto& hits) {
        std::string out;
        for (const SearchHit& hit : hits)
            out += hit.key + " " + hit.snippet + "\n";
        return out;
    });
}

const char* const kUsers[] = {"ada", "bob", "cyd"};

Answers ask_all(test::OneThreadStore& store) {
    Answers answers;
    for (const char* user : kUsers)
        ask(store, user, answers);
    answers["users"] = told(store.reads().users(), [](const auto& users) {
        std::string out;
        for (const std::string& user : users)
            out += user == "zed" ? "" : user + " ";
        return out;
    });
    return answers;
}

// A store at two times, and the truth at the second.
struct Truth {
    Files before;
    Files now;
    Answers answers;
    std::map<std::string, AppendRequest> next;  // of each user
};

// With its newest events in the journal only, or with all of them applied.
Truth make_truth(bool applied) {
    Truth truth;
    test::FaultDisk disk;
    const test::FaultVfs vfs("truth", disk);
    test::SeededRandom random(17);
    std::map<std::string, SampleLog> logs;
    for (const char* user : kUsers)
        logs.emplace(user, SampleLog(user, random));
    auto opened = test::OneThreadStore::open(options("truth"), random);
    CHECK(opened);
    auto store = *std::move(opened);
    for (int round = 0; round < 60; ++round) {
        for (auto& [user, log] : logs) {
            const AppendRequest request = log.draft(3);
            std::vector<AppendRequest> one{request};
            std::vector<AppendResult> results;
            store->commit(one, results);
            CHECK(results.at(0).outcome == AppendOutcome::committed);
            log.take(*request.batch, request.changes);
        }
        if (round % 7 == 6) CHECK(store->apply());
        if (round == 30) {
            Tables::Expiry walk{.before_ms = logs.at("ada").now_ms - 3000};
            while (!walk.finished)
                CHECK(store->expire_some(walk));
        }
        if (round == 41 || round == 58) {
            CHECK(store->search("ada", "sample", 1));
            while (store->tidy()) {
            }
        }
        if (round == 41) truth.before = disk.files();
    }
    if (applied) CHECK(store->apply());
    // The last record of a journal may be damaged unnoticed, as if it had never been finished.
    SampleLog zed("zed", random);
    std::vector<AppendRequest> last{zed.draft(1)};
    std::vector<AppendResult> results;
    store->commit(last, results);
    disk.dead = true;
    store.reset();
    disk.dead = false;
    truth.now = disk.files();
    for (auto& [user, log] : logs)
        truth.next.emplace(user, log.draft(2));
    auto again = test::OneThreadStore::open(options("truth"), random);
    CHECK(again);
    truth.answers = ask_all(**again);
    return truth;
}

const Truth& truth(bool applied) {
    static const Truth made[] = {make_truth(false), make_truth(true)};
    return made[applied ? 1 : 0];
}

std::string page_of(const Files& files, std::size_t page) {
    return files.at(kDatabase).substr(page * kPageBytes, kPageBytes);
}

// Damages `files`, and says how.
std::string damage(Files& files, const Files& before, test::SeededRandom& random) {
    std::string& database = files[kDatabase];
    const std::size_t pages = database.size() / kPageBytes;
    const std::size_t page = random.below(pages);
    const auto put = [&](std::size_t at, const std::string& bytes) {
        database.replace(at * kPageBytes, kPageBytes, bytes);
        return " of page " + std::to_string(at + 1);
    };
    const auto flip = [&](std::string& bytes) {
        const std::size_t at = random.below(bytes.size());
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
        return " at " + std::to_string(at);
    };
    switch (random.below(8)) {
        case 0:
        case 1:
            return "flip" + flip(database);
        case 2: {
            const char* const kFiles[] = {"/m.db-log0", "/m.db-log1", "/m.db-journal"};
            const char* file = kFiles[random.below(3)];
            return std::string(file) + flip(files[file]);
        }
        case 3:
            database.resize(random.below(2) == 0 ? random.below(database.size())
                                                 : page * kPageBytes);
            return "cut to " + std::to_string(database.size());
        case 4: {
            const std::size_t other = random.below(pages);
            const std::string kept = page_of(files, page);
            return "swap" + put(page, page_of(files, other)) + put(other, kept);
        }
        case 5:
            return "zeros" + put(page, std::string(kPageBytes, '\0'));
        case 6: {
            std::string bytes = page_of(files, page);
            for (std::size_t i = 0; i < 64; ++i)
                bytes[random.below(kPageBytes)] = static_cast<char>(random.below(256));
            return "noise" + put(page, bytes);
        }
        default: {
            const std::size_t older = random.below(before.at(kDatabase).size() / kPageBytes);
            return "older" + put(older, page_of(before, older));
        }
    }
}

// Tables of which no sum shows that a page is the one of another time.
bool is_unsummed(const std::string& question) {
    for (const char* table : {" responses", " transitions", " search"})
        if (question.find(table) != std::string::npos) return true;
    return false;
}

void expect_true(const Answers& answers, const Truth& truth, const std::string& how,
                 std::size_t& errors) {
    for (const auto& [question, answer] : answers) {
        const auto right = truth.answers.find(question);
        if (answer.starts_with("error ")) {
            errors += 1;
            EXPECT_TRUE(answer.starts_with("error storage_")) << how << ": " << question << answer;
        } else if (how.find("older") != std::string::npos && is_unsummed(question)) {
            continue;
        } else if (right == truth.answers.end() || right->second != answer) {
            ADD_FAILURE() << how << ": " << question << " is false";
        }
    }
}

}  // namespace

TEST(DamagedStore, GivesTheRightAnswerOrAnErrorAndBuildsOnNothingElse) {
    std::size_t refused = 0;
    std::size_t errors = 0;
    const char* wanted = std::getenv("DYAD_DAMAGE_SEEDS");
    const std::uint64_t seeds = wanted == nullptr ? 400 : std::strtoull(wanted, nullptr, 10);
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const Truth& truth = dyad::sqlite::truth(seed % 2 == 0);
        test::SeededRandom random(seed * 7919);
        test::FaultDisk disk;
        const std::string name = "damage" + std::to_string(seed);
        const test::FaultVfs vfs(name, disk);
        Files files = truth.now;
        const std::string how =
            "seed " + std::to_string(seed) + ", " + damage(files, truth.before, random);
        disk.put(files);
        try {
            auto opened = test::OneThreadStore::open(options(name), random);
            if (!opened) {
                EXPECT_EQ(error_row(opened.error().code).name.substr(0, 8), "storage_")
                    << how << opened.error().to_string();
                refused += 1;
                continue;
            }
            expect_true(ask_all(**opened), truth, how, errors);
            std::map<std::string, AppendOutcome> outcomes;
            for (const auto& [user, request] : truth.next) {
                std::vector<AppendRequest> one{request};
                std::vector<AppendResult> results;
                (*opened)->commit(one, results);
                outcomes[user] = results.at(0).outcome;
            }
            (void)(*opened)->apply();
            for (const auto& [user, outcome] : outcomes) {
                const auto loaded = (*opened)->load(user);
                const Offset end = truth.next.at(user).batch->last() -
                                   (outcome == AppendOutcome::committed ? 0 : 2);
                if (loaded) EXPECT_EQ(loaded->head.offset, end) << how;
            }
            disk.dead = true;
            opened->reset();
        } catch (const Stopped&) {
            ADD_FAILURE() << how << ": stopped";
        }
    }
    EXPECT_GT(refused, 20U);
    EXPECT_GT(errors, 200U);
}

}  // namespace dyad::sqlite
