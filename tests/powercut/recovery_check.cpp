#include "recovery_check.hpp"

#include <algorithm>
#include <set>

namespace dyad::powercut {
namespace {

using test::SampleLog;

// The log that the acknowledged events and the first in-flight batches make, up to `end`.
SampleLog expected_log(const SampleLog& acknowledged, const Ledger& ledger, Offset end) {
    SampleLog log = acknowledged;
    for (const AppendRequest& request : ledger.in_flight) {
        if (request.user_id != log.user() || log.head().offset >= end) continue;
        if (request.batch && request.batch->first == log.head().offset + 1)
            log.take(*request.batch, request.changes);
    }
    return log;
}

void compare_event(const SampleLog& expected, Offset offset, std::string_view text,
                   Verdict& verdict) {
    const auto& texts = expected.texts();
    if (offset <= texts.size() && texts[offset - 1] == text) return;
    const std::string where = expected.user() + ", event " + std::to_string(offset);
    if (std::find(texts.begin(), texts.end(), text) != texts.end())
        verdict.blame(&Verdict::out_of_order, where + " stands elsewhere");
    else
        verdict.blame(&Verdict::corrupt, where + " was never appended so");
}

void compare_events(test::OneThreadStore& store, const SampleLog& expected, const LoadedLog& loaded,
                    Verdict& verdict) {
    std::set<std::uint64_t> seen;
    Offset at = loaded.first_kept - 1;
    while (at < loaded.head.offset) {
        const Result<LogSlice> slice = store.read_log(expected.user(), at, 4096);
        if (!slice || slice->batches.empty()) {
            verdict.blame(&Verdict::lost,
                          expected.user() + " cannot be read from event " + std::to_string(at + 1));
            return;
        }
        for (const EventBatchPtr& batch : slice->batches) {
            for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
                if (offset <= at) continue;
                if (offset != at + 1)
                    verdict.blame(&Verdict::out_of_order,
                                  expected.user() + " has a hole at " + std::to_string(at + 1));
                compare_event(expected, offset, batch->text(offset), verdict);
                if (!seen.insert(batch->entry(offset).operation_key).second)
                    verdict.blame(&Verdict::doubled, expected.user() + " has an operation twice");
                at = offset;
            }
        }
    }
    // Those of expired events stay known, too: no instance has as many as would be forgotten.
    const Offset end = std::min<Offset>(loaded.head.offset, expected.texts().size());
    for (Offset offset = 1; offset <= end; offset += offset < loaded.first_kept ? 1 : 5) {
        const auto found = store.reads().find(expected.user(), expected.operation_at(offset));
        if (!found || *found != std::optional<Offset>(offset < loaded.first_kept ? 0 : offset))
            verdict.blame(&Verdict::lost, expected.user() +
                                              " has forgotten the operation of event " +
                                              std::to_string(offset));
    }
}

void compare_first_kept(const SampleLog& expected, const LoadedLog& loaded, const Ledger& ledger,
                        Verdict& verdict) {
    for (Offset offset = 1; offset < loaded.first_kept; ++offset) {
        const Result<EventView> event = decode_event(expected.texts()[offset - 1]);
        const std::string where = expected.user() + ", event " + std::to_string(offset);
        if (!event || event->timestamp_ms >= ledger.expired_before_ms)
            verdict.blame(&Verdict::lost, where + " was forgotten too early");
    }
    const auto gone = ledger.gone_to.find(expected.user());
    if (gone != ledger.gone_to.end() && loaded.first_kept <= gone->second)
        verdict.blame(&Verdict::corrupt,
                      expected.user() + " still has event " + std::to_string(gone->second));
}

void compare_projections(test::OneThreadStore& store, const SampleLog& expected, Verdict& verdict) {
    std::vector<ResponseRecord> records;
    for (const auto& [name, record] : expected.responses())
        records.push_back(record);
    std::sort(records.begin(), records.end(),
              [](const auto& a, const auto& b) { return a.offset > b.offset; });
    const auto responses =
        store.reads().responses(expected.user(), {}, {.before = 0, .limit = 1000});
    if (!responses || test::describe(*responses) != test::describe(records))
        verdict.blame(&Verdict::corrupt, expected.user() + ": responses are not the fold");
    const auto modes =
        store.reads().transitions(expected.user(), std::nullopt, {.before = 0, .limit = 100000});
    if (!modes || modes->size() != expected.transitions().size())
        verdict.blame(&Verdict::corrupt, expected.user() + ": transitions are not the fold");
    const Status chain = store.verify(expected.user());
    if (!chain) verdict.blame(&Verdict::corrupt, chain.error().to_string());
}

void compare_user(test::OneThreadStore& store, const SampleLog& acknowledged, const Ledger& ledger,
                  bool thorough, Verdict& verdict) {
    const Result<LoadedLog> loaded = store.load(acknowledged.user());
    if (!loaded) {
        verdict.blame(&Verdict::corrupt, loaded.error().to_string());
        return;
    }
    const Offset end = loaded->head.offset;
    verdict.recovered[acknowledged.user()] = end;
    if (end < acknowledged.head().offset) {
        verdict.blame(&Verdict::lost, acknowledged.user() + " ends at " + std::to_string(end) +
                                          ", acknowledged was " +
                                          std::to_string(acknowledged.head().offset));
        return;
    }
    if (end == 0) return;
    const SampleLog expected = expected_log(acknowledged, ledger, end);
    if (expected.head().offset != end || expected.head().hash != loaded->head.hash ||
        expected.head().epoch != loaded->head.epoch) {
        verdict.blame(&Verdict::corrupt, acknowledged.user() + " does not end as it should");
        return;
    }
    compare_events(store, expected, *loaded, verdict);
    compare_first_kept(expected, *loaded, ledger, verdict);
    // Deleted contexts may be forgotten once their deletion is.
    const bool with_deleted = ledger.expired_before_ms == INT64_MIN;
    if (test::describe(loaded->state, with_deleted) !=
        test::describe(expected.state(), with_deleted))
        verdict.blame(&Verdict::corrupt, expected.user() + ": the state is not the fold");
    if (thorough) compare_projections(store, expected, verdict);
}

}  // namespace

void Verdict::blame(bool Verdict::* kind, const std::string& text) {
    this->*kind = true;
    if (why.empty()) why = text;
}

sqlite::StoreOptions small_options(const std::string& vfs, const std::string& pragmas) {
    return {.database = "/m.db",
            .vfs = vfs,
            .journal_file_bytes = 16384,
            .group_bytes_max = 5000,
            .apply_bytes = 7000,
            .piece_bytes = 2000,
            .page_bytes = 1024,
            .segments = {.events_max = 8, .bytes_max = 2500, .merge_below_bytes = 900},
            .index = {.tail = 12, .chunk = 8},
            .extra_pragmas = pragmas,
            .epoch_seed = test::kSampleSeed,
            .on_fatal = [](const std::string&) { throw Stopped{}; }};
}

void check_erased(const test::FaultDisk& disk, const Ledger& ledger, Verdict& verdict) {
    for (const char* file : {"/m.db", "/m.db-journal", "/m.db-log0", "/m.db-log1"}) {
        const auto inode = disk.find(file);
        if (inode == nullptr) continue;
        for (const auto& [user, last] : ledger.gone_to) {
            for (Offset offset = 1; offset <= last; ++offset) {
                constexpr std::size_t kBytes = 60;  // offset, hash and time of the event
                const std::string begin =
                    ledger.users.at(user).texts()[offset - 1].substr(0, kBytes);
                if (inode->durable.find(begin) != std::string::npos)
                    verdict.blame(&Verdict::corrupt,
                                  std::string(file) + " still has " + begin + " of " + user);
            }
        }
    }
}

Verdict compare(test::OneThreadStore& store, const Ledger& ledger, bool thorough) {
    Verdict verdict;
    for (const auto& [name, acknowledged] : ledger.users)
        compare_user(store, acknowledged, ledger, thorough, verdict);
    if (!thorough) return verdict;
    const auto users = store.reads().users();
    if (!users) verdict.blame(&Verdict::corrupt, users.error().to_string());
    for (std::size_t i = 0; users && i < users->size(); ++i)
        if (!ledger.users.contains((*users)[i]))
            verdict.blame(&Verdict::corrupt, "there is a user that never was: " + (*users)[i]);
    return verdict;
}

Verdict recover_and_compare(test::FaultDisk& disk, const std::string& vfs_name,
                            const std::string& pragmas, const Ledger& ledger, bool thorough,
                            bool and_goes_on) {
    const test::FaultVfs vfs(vfs_name, disk);
    test::SeededRandom random(99);
    auto store = test::OneThreadStore::open(small_options(vfs_name, pragmas), random);
    if (!store) {
        Verdict verdict;
        verdict.blame(&Verdict::corrupt, store.error().to_string());
        return verdict;
    }
    Verdict verdict = compare(**store, ledger, thorough);
    if (!verdict.good() || !and_goes_on) return verdict;

    const auto& [name, acknowledged] = *ledger.users.begin();
    SampleLog log = expected_log(acknowledged, ledger, verdict.recovered[name]);
    std::vector<AppendRequest> one;
    one.push_back(log.draft(1));
    const auto batch = one[0].batch;
    std::vector<AppendResult> results;
    (*store)->commit(one, results);
    const Result<LoadedLog> after = (*store)->load(name);
    if (results[0].outcome != AppendOutcome::committed || !after ||
        after->head.hash != batch->head().hash)
        verdict.blame(&Verdict::corrupt, "the recovered store takes no event");
    return verdict;
}

}  // namespace dyad::powercut
