// What AVX2 and AVX-512 do alike, with lanes of one register.

// MAX8 sets X0 to the largest of the 8 float32 in Y0: halves, pairs and neighbours are compared.
// X1 is lost.
#define MAX8 \
	VEXTRACTF128 $1, Y0, X1    \
	VMAXPS       X1, X0, X0    \
	VPERMILPS    $0x4e, X0, X1 \
	VMAXPS       X1, X0, X0    \
	VPERMILPS    $0xb1, X0, X1 \
	VMAXPS       X1, X0, X0

// SUM8 sets X3 to the sum of the 8 int32 in Y3. X1 is lost.
#define SUM8 \
	VEXTRACTI128 $1, Y3, X1    \
	VPADDD       X1, X3, X3    \
	VPSHUFD      $0x4e, X3, X1 \
	VPADDD       X1, X3, X3    \
	VPSHUFD      $0xb1, X3, X1 \
	VPADDD       X1, X3, X3
