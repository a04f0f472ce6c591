// A store whose files were damaged anywhere: opening and reading it gives answers or errors, and
// never crashes. The input is a list of damages; the first byte chooses what they are done to.
#include "base/log.hpp"
#include "support/fault_vfs.hpp"
#include "support/one_thread_store.hpp"
#include "support/sample_log.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace dyad;

struct Stopped {};

sqlite::StoreOptions options() {
    return {.database = "/m.db",
            .vfs = "damaged",
            .journal_file_bytes = 16384,
            .apply_bytes = 8192,
            .page_bytes = 512,
            .segments = {.events_max = 4, .bytes_max = 2000, .merge_below_bytes = 500},
            .epoch_seed = test::kSampleSeed,
            .on_fatal = [](const std::string&) { throw Stopped{}; }};
}

// Part of the events applied, part of them in the journal only; then the power goes.
std::unique_ptr<test::FaultDisk> make_disk() {
    auto disk = std::make_unique<test::FaultDisk>();
    const test::FaultVfs vfs("damaged", *disk);
    test::SeededRandom random(3);
    auto store = test::OneThreadStore::open(options(), random);
    CHECK(store);
    test::SampleLog log("ada", random);
    for (int i = 0; i < 12; ++i) {
        std::vector<AppendRequest> requests{log.draft(2)};
        const AppendRequest kept = requests[0];
        std::vector<AppendResult> results;
        (*store)->commit(requests, results);
        log.take(*kept.batch, kept.changes);
        if (i == 7) CHECK((*store)->apply());
    }
    disk->dead = true;
    store->reset();
    disk->dead = false;
    return disk->cut(random);
}

void read_all(test::OneThreadStore& store) {
    (void)store.load("ada");
    (void)store.read_log("ada", 0, 1 << 20);
    (void)store.reads().find("ada", {"vscode-1", "op1"});
    (void)store.reads().history("ada", "project:1", {});
    (void)store.reads().version("ada", "project:1", 1);
    (void)store.reads().transitions("ada", std::nullopt, {});
    (void)store.reads().responses("ada", {}, {});
    (void)store.search("ada", "word*", 10);
    (void)store.reads().users_with_expired(INT64_MAX, 10);
    (void)store.verify("ada");
    sqlite::Tables::Expiry walk{.before_ms = INT64_MAX};
    for (int i = 0; i < 10 && !walk.finished; ++i)
        if (!store.expire_some(walk)) break;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::unique_ptr<test::FaultDisk> pristine = [] {
        log::configure(log::Level::off, log::Format::text, "");
        return make_disk();
    }();
    if (size < 1) return 0;
    test::SeededRandom random(1);
    const auto disk = pristine->cut(random);  // nothing is pending: a copy
    const char* const kFiles[] = {"/m.db", "/m.db-log0", "/m.db-log1", "/m.db-journal"};
    std::string_view in(reinterpret_cast<const char*>(data), size);
    // damage := file:u8 place:u16 count:u8 bytes
    while (in.size() >= 4) {
        const char* file = kFiles[static_cast<std::uint8_t>(in[0]) % 4];
        std::uint16_t place;
        std::memcpy(&place, in.data() + 1, 2);
        const std::size_t count = static_cast<std::uint8_t>(in[3]) % 32;
        in.remove_prefix(4);
        disk->corrupt(file, place, in.substr(0, count));
        in.remove_prefix(std::min(count, in.size()));
    }
    const test::FaultVfs vfs("damaged", *disk);
    try {
        auto store = test::OneThreadStore::open(options(), random);
        if (store) read_all(**store);
    } catch (const Stopped&) {
    }
    return 0;
}
