// Translator: the statements of a kernel as one LLVM function.
//
// Lanes. Outside vector loops (and epilogues of contractions) all values are scalars. Inside, a value is a vector of
// lanes().width elements when it varies from lane to lane, else a scalar; scalars are splatted where they meet vectors.
// The loop variable v is replaced by position + lane in each Index, so that the Index itself says how a load moves:
// not at all, contiguously, by a stride, or irregularly.
//
// Depth. Each loop body and each branch of a scalar If is a scope; a value's depth is the scope it was computed in.
// What depends on outer scopes alone is computed in the innermost of those, just before the next scope is entered.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "compiler/codegen/arithmetic.h"
#include "compiler/codegen/module_context.h"
#include "compiler/ir/kernel/kernel.h"

namespace pullback::codegen {

class Translator {
 public:
  /// Writes into `function`, which has no blocks yet.
  Translator(ModuleContext& context, llvm::Function* function);

  /// The body of `kernel`: `function` has one pointer for each parameter of it, then i64 begin, i64 end, ptr scratch.
  void translate_kernel(const kernel::Kernel& kernel);
  /// The body of `source` over vectors of `width` lanes.
  void translate_function(const kernel::Function& source, int width);

  /// About how many instructions a tile becomes; `size_of` is what a block of its epilogue does.
  static std::int64_t code_size(const kernel::Contract& tile, const Target& target,
                                const std::function<std::int64_t(const kernel::Block&)>& size_of);

 private:
  /// An LLVM value, the scope that it is available in.
  struct Bound {
    llvm::Value* value = nullptr;
    int depth = 0;
    bool varies() const { return value && width_of(value) > 1; }
  };
  /// What a loop variable stands for: another Index, or an LLVM value that is `scale` times the variable.
  struct Variable {
    std::optional<kernel::Index> replacement;
    Bound scaled;
    std::int64_t scale = 1;
  };
  struct Lanes {
    int width = 1;
    int active = 1;  ///< the first `active` lanes exist; fewer than width in tails
    const kernel::LoopVar* lane = nullptr;
    llvm::Value* mask = nullptr;  ///< of the Ifs around, whose conditions differ between lanes
  };
  struct Scope {
    llvm::Instruction* entry = nullptr;  ///< in the scope around: the branch into this one
    bool conditional = false;            ///< the body of an If: loads and calls stay in it
  };
  /// An unrolled loop within a vector loop: see transpose.cpp.
  struct Unrolled {
    const kernel::Loop* loop = nullptr;
    int depth = 0;  ///< of its body
    std::int64_t current = 0;
    std::map<std::pair<const kernel::Value*, std::int64_t>, std::vector<llvm::Value*>> transposed;
  };
  class AtDepth;  // moves the builder's insertion point to a depth

  // Statements (statements.cpp).
  void block(const kernel::Block& block);
  void store(const kernel::Store& store);
  void branch(const kernel::If& statement);
  /// Code for both, of which one runs.
  void either(llvm::Value* condition, const std::function<void()>& then, const std::function<void()>& otherwise);
  void masked(const kernel::Block& block, llvm::Value* condition);

  // Loops (loops.cpp).
  void loop(const kernel::Loop& loop);
  void parallel_loop(const kernel::Loop& loop);
  void serial_loop(const kernel::Loop& loop);
  void vector_loop(const kernel::Loop& loop);
  struct Partials;
  void vector_instance(const kernel::Loop& loop, const kernel::Index& position, int width, int active, int accumulator,
                       Partials& partials);
  void finish_reductions(const kernel::Loop& loop, Partials& partials);
  llvm::Value* reduce_vectors(kernel::Combine how, DType dtype, std::vector<llvm::Value*> partials);
  llvm::Value* reduce_lanes(kernel::Combine how, DType dtype, llvm::Value* vector);
  std::vector<llvm::Value*> reduce_side_by_side(kernel::Combine how, DType dtype,
                                                const std::vector<llvm::Value*>& vectors);
  using LoopBody = std::function<std::vector<llvm::Value*>(Bound position, std::span<llvm::Value* const> carried)>;
  /// position = begin, begin + step, ... while < end; runs at least once. Returns what the last iteration yielded.
  std::vector<llvm::Value*> counted_loop(const std::string& name, llvm::Value* begin, llvm::Value* end,
                                         std::int64_t step, std::span<llvm::Value* const> initial,
                                         const LoopBody& body);

  // Contractions (contract.cpp, contract_tile.cpp; rows that share vectors: contract_quarters.cpp; what they fetch
  // ahead: contract_fetch.cpp; several whose endings overlap: contract_deferred.cpp).
  struct Segment;
  struct Tile;
  struct Place;
  void contract(const kernel::Contract& tile);
  /// The tile that is all of the loop, if its endings are worth running beside the next tile.
  const kernel::Contract* deferred_tile(const kernel::Loop& loop) const;
  void deferred_endings(const kernel::Loop& loop, const kernel::Contract& tile);
  void fetch_for_epilogue(const Tile& tile);
  void fetch_for_partial_sums(const Tile& tile);
  using Rows = std::pair<int, kernel::Index>;  ///< of a buffer: the tile's, by its variables
  std::vector<Rows> rows_of(const Tile& tile, const kernel::Block& ending) const;
  bool is_fetched(const Tile& tile, int buffer, bool is_load) const;
  void fetch_rows(const Tile& tile, const std::vector<Rows>& places);
  void fetch_row(const Tile& tile, const Rows& place, const kernel::Index& row);
  void fetch_rows_below(const Tile& tile);
  bool is_far_panel(const kernel::Contract& tile) const;
  void fetch_ahead(const Tile& tile, const Place& at, std::int64_t steps);
  void fetch_beside(const Tile& tile, llvm::Value* b, std::int64_t offset);
  enum class CacheLevel : std::uint8_t { first, second };
  void prefetch(llvm::Value* from, CacheLevel to);
  std::vector<llvm::Value*> start_tile(const Tile& tile);
  std::vector<llvm::Value*> zeros(const Tile& tile) const;
  std::vector<llvm::Value*> load_start(const Tile& tile);
  void keep_order();
  llvm::Value* another(llvm::Value* address);
  llvm::Value* load_operand(DType dtype, llvm::Value* base, std::int64_t offset, int width, int active);
  llvm::Value* load_element(DType dtype, llvm::Value* base, std::int64_t offset, bool again);
  void copy_columns(const Tile& tile, const Place& at, std::int64_t offset, const Segment& segment, llvm::Value* loaded,
                    llvm::Value* converted);
  void tile_step(const Tile& tile, const Place& at, std::vector<llvm::Value*>& sums);
  using JoinedSums = std::vector<llvm::Value*>;  ///< of the whole segments, row by row, then the last ones of four rows
  void contract_joined(const Tile& tile, const Place& at, std::vector<llvm::Value*>& sums);
  void joined_steps(const Tile& tile, const Place& at, std::int64_t count, JoinedSums& sums);
  llvm::Value* join_quarters(const std::function<llvm::Value*(std::size_t quarter)>& part);
  void some_steps(const Tile& tile, const Place& at, llvm::Value* first, std::int64_t count,
                  std::vector<llvm::Value*>& sums);
  void tile_steps_sliding(const Tile& tile, const Place& at, std::int64_t count, std::vector<llvm::Value*>& sums);
  void contract_loops(const Tile& tile, std::size_t level, const Place& at, std::vector<llvm::Value*>& sums);
  Place moved(const Tile& tile, std::size_t level, const Place& at, llvm::Value* position);
  void contract_range(const Tile& tile, std::size_t level, const kernel::Contract::Bound& bound, const Place& at,
                      std::vector<llvm::Value*>& sums);
  void epilogues(const Tile& tile, const std::vector<llvm::Value*>& sums);
  void ending(const Tile& tile, const kernel::Block& ending, const std::vector<llvm::Value*>& sums);
  void ending(const Tile& tile, const kernel::Block& ending, int width, int active, llvm::Value* sum,
              const std::function<void(const kernel::LoopVar& lane)>& place);
  void ending_of_row(const Tile& tile, const kernel::Block& ending, const kernel::Index& row, const Segment& segment,
                     llvm::Value* sum);
  void ending_of_column(const Tile& tile, const kernel::Block& ending, const kernel::Index& column, llvm::Value* sum);
  using EndPosition = std::function<void(const kernel::Index& position, std::size_t part, llvm::Value* sum)>;
  void epilogue_loop(const std::string& name, const std::vector<std::vector<llvm::Value*>>& parts,
                     const EndPosition& body);
  using Parked = std::vector<llvm::AllocaInst*>;  ///< arrays of vectors, equally long
  static std::vector<std::vector<llvm::Value*>> by_segment(const Tile& tile, std::span<llvm::Value* const> sums);
  Parked space_for(const std::vector<std::vector<llvm::Value*>>& parts);
  void park(const std::vector<std::vector<llvm::Value*>>& parts, const Parked& parked);
  void end_position(const Parked& parked, std::int64_t count, Bound position, const EndPosition& body);
  void ending_transposed(const Tile& tile, const kernel::Block& ending, const std::vector<llvm::Value*>& sums);
  void ending_by_loop(const Tile& tile, const kernel::Block& ending, const std::vector<llvm::Value*>& sums);

  // Values (values.cpp).
  Bound get(const kernel::Value* value);
  void bind(const kernel::Value* value, Bound bound) { values_[value] = bound; }
  void define(const kernel::Value& value);
  Bound pure(const kernel::Value& value);
  Bound lookup(const kernel::Value& value);
  Bound call(const kernel::Function& function, std::vector<Bound> arguments);
  Bound call_where(const kernel::Value& value);
  llvm::Value* at_width(llvm::Value* value, int width) const;

  // Memory (memory.cpp).
  Bound load(const kernel::Value& value);
  llvm::Value* load_uniform(int buffer, const kernel::Index& index, Bound predicate, Bound fallback, int& depth);
  llvm::Value* load_contiguous(int buffer, const kernel::Index& index, Bound predicate, llvm::Value* fallback,
                               int& depth);
  /// Where lanes read: base + the offset of each, within `span` elements.
  struct NearLanes {
    kernel::Index base;
    std::vector<std::int64_t> offsets;
    std::int64_t span = 1;
  };
  std::optional<NearLanes> near_lanes(const kernel::Index& index);
  llvm::Value* load_near(int buffer, const NearLanes& near, Bound predicate, llvm::Value* fallback, int& depth);
  std::int64_t readers(const NearLanes& near) const;
  llvm::Value* readers_of(const NearLanes& near, llvm::Value* lanes, std::int64_t first, std::int64_t count);
  llvm::Value* load_strided(int buffer, const kernel::Index& index, std::int64_t stride, int& depth);
  llvm::Value* gather(int buffer, const kernel::Index& index, llvm::Value* mask, llvm::Value* fallback);
  /// The first `active` lanes to neighbouring places. `is_read_beside`: the kernel may load what lies behind them soon.
  void store_first(llvm::Value* value, int active, llvm::Value* pointer, llvm::Align align, bool is_read_beside);
  void store_lanes(const kernel::Store& store, const kernel::Index& index, llvm::Value* value, llvm::Value* mask);
  llvm::Value* to_memory(llvm::Value* value) const;
  llvm::Value* from_memory(llvm::Value* value, DType dtype) const;
  static bool may_store_to(const kernel::Block& block, int buffer);
  std::optional<Bound> load_transposed(const kernel::Value& value);
  std::vector<llvm::Value*> load_square(int buffer, const kernel::Index& start, std::int64_t stride, int count);
  void transpose_square(std::vector<llvm::Value*>& rows);
  void keep_apart(std::vector<llvm::Value*>& values);
  /// A load or store that all lanes take part in: the stride from lane to lane, if there is one.
  std::optional<std::int64_t> lane_stride(const kernel::Index& index);
  /// Which lanes may touch memory; null: all.
  llvm::Value* mask(llvm::Value* predicate);
  llvm::Value* tail_mask(int width, int active) const;
  llvm::Align alignment(int buffer) const;
  DType dtype_of(int buffer) const { return kernel_->buffers[static_cast<std::size_t>(buffer)].dtype; }

  // Indices (indices.cpp).
  kernel::Index resolve(const kernel::Index& index) const;
  bool varies(const kernel::Index& index);
  kernel::Index without_lane(const kernel::Index& index) const;
  Bound atom(const kernel::Atom& atom);
  Bound scalar_index(const kernel::Index& index);
  /// The element's address for the first lane, computed as far out as possible.
  Bound address(int buffer, const kernel::Index& index);
  /// index for each lane as integers of `type`; wraps in them.
  llvm::Value* lane_index(const kernel::Index& index, llvm::Type* type);
  llvm::Value* lane_number(const kernel::Index& index);
  llvm::Value* lane_atom(const kernel::Atom& atom, llvm::Type* type);
  void replace(const kernel::LoopVar& variable, kernel::Index by);
  const kernel::LoopVar* new_variable(std::int64_t extent);

  int depth() const { return static_cast<int>(scopes_.size()) - 1; }
  int conditional_depth() const;
  Bound here(llvm::Value* value) const { return {value, depth()}; }
  llvm::BasicBlock* new_block(const std::string& name) const;

  ModuleContext& context_;
  llvm::Function* function_;
  llvm::IRBuilder<> b_;
  Arithmetic arithmetic_;
  const kernel::Kernel* kernel_ = nullptr;
  std::vector<llvm::Value*> buffers_;
  llvm::Value *begin_ = nullptr, *end_ = nullptr;
  std::vector<Scope> scopes_;
  std::unordered_map<const kernel::Value*, Bound> values_;
  std::unordered_map<const kernel::LoopVar*, Variable> variables_;
  std::deque<kernel::LoopVar> own_variables_;
  Lanes lanes_;
  Unrolled* unrolled_ = nullptr;  // the innermost one
};

/// The builder inserts at `depth` while this lives.
class Translator::AtDepth {
 public:
  AtDepth(Translator& translator, int depth) : guard_(translator.b_) {
    if (depth < translator.depth()) translator.b_.SetInsertPoint(translator.scopes_[depth + 1].entry);
  }

 private:
  llvm::IRBuilder<>::InsertPointGuard guard_;
};

}  // namespace pullback::codegen
